"""A client as a web application would have one: it signs, sends, and keeps to the limits."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import ServiceError
from shared.http.signing import sign

TIMEOUT_SECONDS = 30.0
TOO_MANY = 412
UNAVAILABLE = 503


class NotRunning(ServiceError):
    """The service does not answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the service."""

    status: int
    document: Any
    headers: Mapping[str, str]


class Client:
    """Talks to a running service.

    Args:
        url: its base URL, without a trailing slash.
        key: the HMAC key shared with it.
    """

    def __init__(self, url: str, key: bytes) -> None:
        self._url = url
        self._key = key

    def post(self, body: bytes) -> Answer:
        """Sends one signed sync request, waiting as long as the service asks to.

        Raises:
            NotRunning: nobody answers.
        """
        return self._patiently("POST", body)

    def counts(self) -> Mapping[str, int]:
        """Asks how many objects are synced and queued.

        Raises:
            NotRunning: nobody answers.
        """
        counts: Mapping[str, int] = self._patiently("GET", None).document
        return counts

    def _patiently(self, method: str, body: bytes | None) -> Answer:
        while (answer := self._send(method, body)).status in (TOO_MANY, UNAVAILABLE):
            time.sleep(float(answer.headers.get("Retry-After", "1")))
        return answer

    def _send(self, method: str, body: bytes | None) -> Answer:
        headers = {"Content-Type": "application/json"}
        if body is not None:
            headers["Authorization"] = sign(self._key, body)
        request = urllib.request.Request(f"{self._url}/sync/", body, headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
                return Answer(answer.status, json.load(answer), dict(answer.headers))
        except urllib.error.HTTPError as refused:
            with refused:
                return Answer(refused.code, json.load(refused), dict(refused.headers))
        except (urllib.error.URLError, OSError) as error:
            raise NotRunning(f"{self._url}; start it with make run") from error


def curl(url: str, key: bytes, body: bytes) -> str:
    """Gives the shell command that sends a signed request."""
    quoted = body.decode().replace("'", "'\\''")
    return (
        f"curl -X POST {url}/sync/ -H 'Content-Type: application/json'"
        f" -H 'Authorization: {sign(key, body)}' -d '{quoted}'"
    )
