"""The receiver of callbacks over HTTP: many POSTs at once, from the thread that waits for them.

One multi handle of libcurl, and connections that are kept. There is no thread, unlike in
`shared.sources.s3.transport`: whatever delivers has nothing else to do.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Self
from urllib.parse import quote, urlsplit

import pycurl

from shared.callbacks.answer import Answer, Verdict, of_status
from shared.callbacks.message import Message
from shared.callbacks.redirects import RedirectRefused, is_redirect, target
from shared.config.settings import environment
from shared.curl_sockets import SUPPRESS_CONNECT_HEADERS, CurlSockets
from shared.proxies import proxy_for

CONNECTIONS = 32
ANSWER_SECONDS = 10.0
"""For a whole attempt, redirects included."""

CONNECT_SECONDS = 3.0
BODY_BYTES = 4096
BODY_SECONDS = 1.0
"""So much of a response's body is read, for so long, for the sake of the connection. Then the
connection is closed, and the status counts: a receiver that has answered is not waited for."""

BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
"""Variables that name the certificates to trust instead of the system's, the first one that is
set: those of requests, curl and OpenSSL, in the order of requests."""


class _Post:
    """One reusable easy handle, and the attempt that it makes."""

    def __init__(self, proxy: str, trust: str | None) -> None:
        self.key = self.followed = self.status = self.body_bytes = 0
        self.url = ""
        self.ends = 0.0
        self.answered_at: float | None = None
        self.headers: dict[str, str] = {}
        self.curl = pycurl.Curl()
        for option, value in (
            (pycurl.NOSIGNAL, 1),
            (pycurl.NETRC, pycurl.NETRC_IGNORED),
            (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
            (pycurl.FOLLOWLOCATION, 0),
            (pycurl.HTTP_CONTENT_DECODING, 0),
            (SUPPRESS_CONNECT_HEADERS, 1),
            (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
            (pycurl.CONNECTTIMEOUT_MS, int(CONNECT_SECONDS * 1000)),
            (pycurl.HEADERFUNCTION, self._on_header),
            (pycurl.WRITEFUNCTION, self._on_body),
            # Both always: libcurl would read the environment by rules of its own.
            (pycurl.PROXY, os.fsencode(proxy)),
            (pycurl.NOPROXY, ""),
        ):
            self.curl.setopt(option, value)
        if trust is not None:
            names = (
                ("CAPATH", "PROXY_CAPATH") if Path(trust).is_dir() else ("CAINFO", "PROXY_CAINFO")
            )
            for name in names:
                self.curl.setopt(getattr(pycurl, name), os.fsencode(trust))

    def prepare(self, key: int, url: str, message: Message, now: float) -> None:
        self.key, self.followed, self.ends = key, 0, now + ANSWER_SECONDS
        # Without "expect" libcurl asks before it sends a large body, and waits a second.
        headers = [*message.headers, "expect:"]
        self.curl.setopt(pycurl.HTTPHEADER, [header.encode() for header in headers])
        self.curl.setopt(pycurl.POSTFIELDS, message.body)
        self.aim(url, now)

    def aim(self, url: str, now: float) -> None:
        """Set the URL of the next request, and forget the response to the one before."""
        self.url, self.status, self.body_bytes = url, 0, 0
        self.answered_at = None
        self.headers = {}
        self.curl.setopt(pycurl.URL, url.encode())
        self.curl.setopt(pycurl.TIMEOUT_MS, max(1, int((self.ends - now) * 1000)))

    def _on_header(self, line: bytes) -> None:
        text = line.decode("iso-8859-1").strip()
        if text.startswith("HTTP/"):  # an interim response such as 103 comes first
            self.status, self.headers = int(text.split(None, 2)[1]), {}
        elif not text and self.status >= HTTPStatus.OK:
            self.answered_at = time.monotonic()
        else:
            name, _, value = text.partition(":")
            self.headers[name.lower()] = value.strip()

    def _on_body(self, data: bytes) -> int | None:
        self.body_bytes += len(data)
        return None if self.body_bytes <= BODY_BYTES else -1


class Receiver:
    """Posts messages; used by one thread.

    Args:
        url: where to, http or https; a user and password in it are sent as such.
        now: returns the time (aware), for dates in responses.
    """

    def __init__(self, url: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._url = _ascii(url)
        self._now = now
        self._proxy = proxy_for(url) or ""
        self._trust = next(filter(None, map(environment().get, BUNDLES)), None)
        self._free: list[_Post] = []
        self._active: dict[pycurl.Curl, _Post] = {}
        self._sockets = CurlSockets(CONNECTIONS)
        self._multi = self._sockets.multi

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    @property
    def active(self) -> int:
        """Number of attempts that have not ended."""
        return len(self._active)

    @property
    def room(self) -> int:
        """Number of attempts that can be started."""
        return CONNECTIONS - len(self._active)

    def start(self, key: int, message: Message) -> None:
        """Start an attempt; there must be room for it.

        Args:
            key: what `wait` returns its answer with.
            message: what is sent.
        """
        post = self._free.pop() if self._free else _Post(self._proxy, self._trust)
        post.prepare(key, self._url, message, time.monotonic())
        self._active[post.curl] = post
        self._multi.add_handle(post.curl)

    def wait(self, seconds: float) -> list[tuple[int, Answer]]:
        """Return the attempts that have ended, by key, after at most some seconds."""
        if not self._active:
            return []
        self._sockets.step(seconds)
        return self._ended()

    def close(self) -> None:
        """End all attempts, and close all connections."""
        for curl in list(self._active):
            self._release(curl)
        for post in self._free:
            post.curl.close()
        self._sockets.close()

    def _ended(self) -> list[tuple[int, Answer]]:
        ended: list[tuple[pycurl.Curl, int | None]] = []
        waiting = 1
        while waiting:
            waiting, complete, failed = self._multi.info_read()
            ended += [(curl, None) for curl in complete]
            ended += [(curl, code) for curl, code, _ in failed]
        known = {curl for curl, _ in ended}
        given_up = time.monotonic() - BODY_SECONDS
        ended += [
            (curl, None)
            for curl, post in self._active.items()
            if post.answered_at is not None and post.answered_at < given_up and curl not in known
        ]
        answers = []
        for curl, code in ended:
            post = self._release(curl)
            answer = self._answer(post, code)
            if answer is not None:
                answers.append((post.key, answer))
        return answers

    def _answer(self, post: _Post, code: int | None) -> Answer | None:
        """Return how an attempt has ended; None if it goes on elsewhere."""
        if post.answered_at is None:  # whatever came after the head does not matter
            if code == pycurl.E_OPERATION_TIMEDOUT and not post.curl.getinfo(
                pycurl.PRETRANSFER_TIME
            ):
                code = pycurl.E_COULDNT_CONNECT  # nothing was sent
            return _failure(code, int(post.curl.getinfo(pycurl.HTTP_CONNECTCODE)), self._proxy)
        if not is_redirect(post.status):
            return of_status(post.status, post.headers, self._now())
        try:
            url = target(post.url, post.status, post.headers.get("location"), post.followed)
        except RedirectRefused as error:
            return Answer(Verdict.FAULT, f"The receiver: {error}", has_status=True)
        post.followed += 1
        post.aim(url, time.monotonic())
        self._free.remove(post)
        self._active[post.curl] = post
        self._multi.add_handle(post.curl)
        return None

    def _release(self, curl: pycurl.Curl) -> _Post:
        post = self._active.pop(curl)
        self._multi.remove_handle(curl)  # closes a connection whose response is not complete
        self._free.append(post)
        return post


_UNREACHABLE = {
    pycurl.E_COULDNT_CONNECT: "no connection could be made",
    pycurl.E_COULDNT_RESOLVE_HOST: "the host name cannot be resolved",
    pycurl.E_COULDNT_RESOLVE_PROXY: "the proxy's host name cannot be resolved",
    pycurl.E_PEER_FAILED_VERIFICATION: "the certificate is not trusted",
    pycurl.E_SSL_CONNECT_ERROR: "no TLS connection could be made",
    pycurl.E_SSL_CACERT_BADFILE: "the file of trusted certificates cannot be read",
}

_FAULTS = {
    pycurl.E_OPERATION_TIMEDOUT: f"no answer within {ANSWER_SECONDS:g} s",
    pycurl.E_GOT_NOTHING: "the connection was closed without an answer",
    pycurl.E_RECV_ERROR: "the connection broke",
    pycurl.E_SEND_ERROR: "the connection broke",
    pycurl.E_UNSUPPORTED_PROTOCOL: "the answer is not HTTP",
}


def _failure(code: int | None, connect_status: int, proxy: str) -> Answer:
    """Translate an error of libcurl (its manual, libcurl-errors).

    Args:
        code: its number.
        connect_status: the proxy's answer to CONNECT, 0 if there is none.
        proxy: its URL, empty if there is none.
    """
    if proxy and connect_status >= HTTPStatus.MULTIPLE_CHOICES:
        about = f"The receiver: the proxy refuses to connect ({connect_status})"
        return Answer(Verdict.UNREACHABLE, about)
    if code in _UNREACHABLE:
        through = " through the proxy" if proxy and not connect_status else ""
        return Answer(Verdict.UNREACHABLE, f"The receiver: {_UNREACHABLE[code]}{through}")
    about = f"curl error {code}" if code is None else _FAULTS.get(code, f"curl error {code}")
    return Answer(Verdict.FAULT, f"The receiver: {about}")


def _ascii(url: str) -> str:
    """Return a URL as it goes over the wire, without a fragment.

    Raises:
        ValueError: its host is no name.
    """
    parts = urlsplit(url)
    login, at, place = parts.netloc.rpartition("@")
    if not place.isascii():
        place = place.encode("idna").decode()
    reserved = "%/:=&?~#+!$,;'@()*[]"
    return parts._replace(
        netloc=f"{quote(login, safe=reserved)}{at}{place}",
        path=quote(parts.path, safe=reserved) or "/",
        query=quote(parts.query, safe=reserved),
        fragment="",
    ).geturl()
