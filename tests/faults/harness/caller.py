"""A client that sends whatever it is given over one kept connection."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from types import TracebackType
from typing import Self

SERVER_FAULT = 500


class Caller:
    """One kept connection, made anew when the service closes it.

    Args:
        port: of the service.
    """

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30.0)

    def call(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        """Send one request; return status and body of an answer that shows no fault of ours."""
        encoded = {name: value.encode("latin-1") for name, value in headers.items()}
        try:
            status, answer = self._once(method, target, body, encoded)
        except (http.client.HTTPException, ConnectionError):
            self._connection.close()  # it was closed while nobody used it
            status, answer = self._once(method, target, body, encoded)
        assert status != SERVER_FAULT, answer
        assert b"Traceback" not in answer
        return status, answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def _once(
        self, method: str, target: str, body: bytes, headers: Mapping[str, bytes]
    ) -> tuple[int, bytes]:
        self._connection.request(method, target, body or None, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()
