"""The one adapter of memcached: the only module that imports pymemcache."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Sequence

from pymemcache.client.base import Client, PooledClient
from pymemcache.exceptions import MemcacheError, MemcacheUnexpectedCloseError

from shared.cache.interface import Counter
from shared.errors import CacheUnavailable
from shared.metrics import tally
from shared.metrics.catalog import CACHE_ERRORS

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 0.04
"""A request must never wait long for an answer that it can do without."""

BACK_OFF_SECONDS = 5.0
"""Seconds after a failure in which memcached is not asked."""

_PIECE_BYTES = 4_096
"""Bytes read from the connection at a time."""

_ANSWERS = re.compile(rb"^(?:VA \d+\r\n(\d{1,20}) *|EN)\r$", re.MULTILINE)


class MemcachedCache:
    """Counters in memcached by its meta commands, all those of a request in one round trip.

    `ma` adds or creates in one atomic command, `mg` reads, `mn` marks the end of the answers
    (memcached's doc/protocol.txt, "Meta Commands", 1.6 and later).

    Args:
        address: host and port.
        clock: monotonic seconds.
        timeout: seconds to wait for a connection, and for an answer.
    """

    def __init__(
        self,
        address: tuple[str, int],
        clock: Callable[[], float] = time.monotonic,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self._client = _PooledClient(
            address,
            connect_timeout=timeout,
            timeout=timeout,
            no_delay=True,
        )
        self._place = f"{address[0]}:{address[1]}"
        self._clock = clock
        self._backing_off_until = float("-inf")

    def count(self, counters: Sequence[Counter]) -> list[tuple[int, int]]:
        """See `Cache.count`: one round trip, of about 200 bytes a counter there and 20 back."""
        commands = [
            command
            for c in counters
            for command in (f"ma {c.key} N{c.lifetime} J1 v", f"mg {c.previous_key} v")
        ]
        numbers = _numbers(self._ask(commands), len(commands))
        return list(zip(numbers[::2], numbers[1::2], strict=True))

    def take_back(self, counters: Sequence[Counter]) -> None:
        """See `Cache.take_back`."""
        self._ask([f"ma {c.key} MD" for c in counters])

    def ping(self) -> None:
        """See `Cache.ping`; asks even during the back-off, which an answer ends."""
        self._attempt([])

    def version(self) -> str:
        """Return the server's version, such as ``1.6.18``.

        Raises:
            CacheUnavailable: the server did not answer, or not in time.
        """
        return self._attempt(["version"]).decode(errors="replace").partition("VERSION ")[2].strip()

    def close(self) -> None:
        """See `Cache.close`; the next use opens new connections."""
        self._client.close()

    def _ask(self, commands: Sequence[str]) -> bytes:
        if self._clock() < self._backing_off_until:
            raise CacheUnavailable("not asked again so soon after a failure")
        return self._attempt(commands)

    def _attempt(self, commands: Sequence[str]) -> bytes:
        try:
            answer = self._send("\r\n".join((*commands, "mn")))
        except (MemcacheError, OSError) as error:
            self._backing_off_until = self._clock() + BACK_OFF_SECONDS
            tally.count(CACHE_ERRORS)
            logger.warning(
                "memcached is unreachable", extra={"server": self._place, "reason": error}
            )
            raise CacheUnavailable from error
        self._backing_off_until = float("-inf")
        return answer

    def _send(self, command: str) -> bytes:
        # After a restart of the server every kept connection breaks, one after another.
        for _ in self._client.client_pool.free:
            try:
                return self._raw(command)
            except (MemcacheUnexpectedCloseError, ConnectionResetError, BrokenPipeError):
                continue
        return self._raw(command)

    def _raw(self, command: str) -> bytes:
        answer: bytes = self._client.raw_command(command, b"MN\r\n")
        return answer


class _Client(Client):  # type: ignore[misc] # without types
    """A connection whose `raw_command` reads an answer in any number of pieces.

    That of pymemcache 4.0.0 drops the pieces before the last one, and waits forever for an end
    marker that comes in two.
    """

    def raw_command(self, command: str, end_tokens: bytes) -> bytes:
        if self.sock is None:
            self._connect()
        try:
            self.sock.sendall(command.encode() + b"\r\n")
            return self._answer(end_tokens)
        except Exception:
            self.close()
            raise

    def _answer(self, end: bytes) -> bytes:
        answer = bytearray()
        while not answer.endswith(end):
            piece = self.sock.recv(_PIECE_BYTES)
            if not piece:
                raise MemcacheUnexpectedCloseError
            answer += piece
        return bytes(answer.removesuffix(end))


class _PooledClient(PooledClient):  # type: ignore[misc] # as above
    """A pool of such connections."""

    client_class = _Client


def _numbers(answer: bytes, expected: int) -> list[int]:
    r"""Read `VA <size>\r\n<number>\r\n` and `EN\r\n` (a miss, 0) in order."""
    numbers = [int(number or 0) for number in _ANSWERS.findall(answer)]
    if len(numbers) != expected:
        raise CacheUnavailable("unexpected answer")
    return numbers
