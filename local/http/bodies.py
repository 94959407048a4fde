"""Reading the body of a request on the event loop, with limits of size and time."""

from __future__ import annotations

from typing import Any

from local.http.deadlines import Deadlines


async def read_body(
    headers: list[tuple[str, str]], protocol: Any, deadlines: Deadlines, most: int
) -> bytes:
    """Return the body, cut off one byte after the limit.

    Raises:
        TimeoutError: the client is too slow.
        EOFError: it ended before its declared length.
    """
    length: int | None = None
    chunked = False
    for name, value in headers:
        if name == "content-length":
            length = int(value)
        elif name == "transfer-encoding":
            chunked = True
    if not length and not chunked:
        return b""
    with deadlines.limit():
        if length is not None and length <= most:
            body: bytes = await protocol()
        else:
            body = await _beginning(protocol, most)
    if length is not None and len(body) < min(length, most + 1):
        raise EOFError
    return body


async def _beginning(protocol: Any, most: int) -> bytes:
    body = bytearray()
    async for chunk in protocol:
        body += chunk
        if len(body) > most:
            break
    return bytes(body[: most + 1])
