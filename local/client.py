"""A client as a web application would have one: it signs, sends, and keeps to the limits."""

from __future__ import annotations

import json
import math
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from shared.errors import ServiceError
from shared.http.signing import sign

TIMEOUT_SECONDS = 30.0
RETRY_SECONDS = 90.0
"""How long a request is repeated: longer than a rate limit of a minute, and than a restart."""

LONGEST_TEXT = 200
"""Bytes that are shown of an answer that is not JSON."""

OK = 200
ASKS_TO_WAIT = frozenset({412, 429, 503})
"""Too many requests, see RATE_LIMIT_STATUS, or the service is unavailable."""


class NotAnswered(ServiceError):
    """The service did not do what was asked.

    Args:
        url: the service's base URL.
        reason: what it answered, or why it did not.
        advice: what to do.
    """

    def __init__(self, url: str, reason: str, advice: str = "") -> None:
        self.reason = reason
        super().__init__(f"{url}: {reason}" + (f"; {advice}" if advice else ""))


class NotRunning(NotAnswered):
    """The service does not answer."""


class GivenUp(NotAnswered):
    """The service asks to wait, and has done so for too long."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the service.

    Attributes:
        status: HTTP status.
        document: its JSON, or the beginning of its text if it is not JSON, such as a proxy's page.
        headers: its headers, names in lower case.
    """

    status: int
    document: Any
    headers: Mapping[str, str]

    @property
    def shown(self) -> str:
        """The answer in a few words, for a person."""
        detail = self.document.get("detail") if isinstance(self.document, dict) else None
        return f"{self.status} {detail or self.document}"

    @property
    def retry_after(self) -> float:
        """Seconds to wait before the request is repeated; one if no readable header is given."""
        try:
            seconds = float(self.headers.get("retry-after", ""))
        except ValueError:
            return 1.0
        return seconds if math.isfinite(seconds) and seconds >= 0 else 1.0


def silent(_: str) -> None:
    """Show nothing."""


class Client:
    """A client of a running service. It never uses a proxy: the service is on this machine.

    For the same reason it takes any certificate, which is for the name that others call it by.

    Args:
        url: its base URL, without a trailing slash.
        key: the HMAC key shared with it.
        retry_seconds: how long a request is repeated that the service asks to repeat.
        show: called with a line when the service first asks to wait.
    """

    def __init__(
        self,
        url: str,
        key: bytes,
        *,
        retry_seconds: float = RETRY_SECONDS,
        show: Callable[[str], None] = silent,
    ) -> None:
        self._url = url
        self._key = key
        self._retry_seconds = retry_seconds
        self._show = show
        any_certificate = ssl.create_default_context()
        any_certificate.check_hostname, any_certificate.verify_mode = False, ssl.CERT_NONE
        self._open = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=any_certificate),
        ).open

    def post(self, body: bytes) -> Answer:
        """Send one signed sync request, repeating it as long as the service asks to.

        Raises:
            NotRunning: nothing answers.
            GivenUp: the service still asked to wait after `retry_seconds`.
        """
        return self._repeat("POST", "/sync/", body)

    def check(self) -> None:
        """Return once the service answers, which counts for no rate limit.

        Raises:
            NotRunning: nothing answers.
            NotAnswered: it answers with something else.
        """
        answer = self._repeat("GET", "/livez", None)
        if answer.status != OK:
            raise NotAnswered(self._url, answer.shown)

    def status(self, location: str) -> Answer:
        """Return what became of a request, see `GET /sync/<signature>/`.

        Args:
            location: the `Location` of its answer, 201 or 409.

        Raises:
            NotRunning: nothing answers.
            GivenUp: the service still asked to wait after `retry_seconds`.
            NotAnswered: it answers with something else than a state.
        """
        answer = self._repeat("GET", location, None)
        if answer.status != OK or not isinstance(answer.document, dict):
            raise NotAnswered(self._url, answer.shown)
        return answer

    def _repeat(self, method: str, path: str, body: bytes | None) -> Answer:
        deadline = time.monotonic() + self._retry_seconds
        shown = False
        while (answer := self._send(method, path, body)).status in ASKS_TO_WAIT:
            if time.monotonic() + answer.retry_after > deadline:
                advice = f"given up after {self._retry_seconds:.0f} s, see the service's log"
                raise GivenUp(self._url, answer.shown, advice)
            if not shown:
                self._show(f"{answer.shown}: repeated for up to {self._retry_seconds:.0f} s")
                shown = True
            time.sleep(answer.retry_after)
        return answer

    def _send(self, method: str, path: str, body: bytes | None) -> Answer:
        headers = {"Content-Type": "application/json"}
        if body is not None:
            headers["Authorization"] = sign(self._key, body)
        request = urllib.request.Request(self._url + path, body, headers, method=method)  # noqa: S310
        try:
            with self._open(request, timeout=TIMEOUT_SECONDS) as response:
                return _answer(response)
        except urllib.error.HTTPError as refused:
            with refused:
                return _answer(refused)
        except (OSError, HTTPException) as error:
            reason = str(getattr(error, "reason", error))
            raise NotRunning(self._url, reason, "start it with make run") from error


def curl(url: str, key: bytes, body: bytes, *, proxied: bool = False) -> str:
    """Return the shell command that sends a signed request.

    Args:
        url: the service's base URL.
        key: the HMAC key shared with it.
        body: the request's body, UTF-8.
        proxied: whether curl would send it to a proxy, which does not reach this machine.
    """
    quoted = body.decode().replace("'", "'\\''")
    direct = f" --noproxy {urlsplit(url).hostname}" if proxied else ""
    # On this machine it has another name than its certificate.
    direct += " --insecure" if url.startswith("https:") else ""
    return (
        f"curl{direct} -X POST {url}/sync/ -H 'Content-Type: application/json'"
        f" -H 'Authorization: {sign(key, body)}' -d '{quoted}'"
    )


def proxied(url: str) -> bool:
    """Return whether the environment sends requests for a URL to a proxy."""
    proxies = urllib.request.getproxies()
    bypassed = urllib.request.proxy_bypass(urlsplit(url).hostname or "")
    return bool({"http", "all"} & set(proxies)) and not bypassed


def _answer(response: Any) -> Answer:
    content = response.read()
    try:
        document = json.loads(content)
    except ValueError:
        document = content[:LONGEST_TEXT].decode(errors="replace").strip()
    return Answer(
        response.status, document, {name.lower(): value for name, value in response.headers.items()}
    )
