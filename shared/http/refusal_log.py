"""Log lines about refused requests: one a minute for each address and reason, with a count.

A client that sends a thousand invalid requests a second must not fill the disk with log lines.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from shared.errors import RequestRefused

SECONDS = 60.0
"""Between two lines about the same address and reason."""

MOST = 10_000
"""Addresses and reasons that are remembered; beyond them the oldest are logged early."""


@dataclass(slots=True)
class _Seen:
    since: float
    reason: str
    more: int = 0


class RefusalLog:
    """Counts refusals, and decides which become a line.

    The first refusal of a kind is logged at once. Those that follow within `SECONDS` are counted,
    and logged with the next refusal of any kind after that, or at the end. A kind is what `detail`
    tells; the line has the response's `reason` as well, the last one where it stands for several.

    Args:
        log: writes a line: the address, the reason, and how many requests it stands for.
        clock: monotonic seconds.
    """

    def __init__(
        self, log: Callable[[str, str, int], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: OrderedDict[tuple[str, str], _Seen] = OrderedDict()

    def add(self, address: str, refused: RequestRefused) -> None:
        """Count one refusal.

        Args:
            address: the client's, as limits count it.
            refused: why; only its kind counts, since a client can cause any number of reasons.
        """
        now = self._clock()
        kind = address, refused.title
        lines = []
        with self._lock:
            while self._seen and (
                now - next(iter(self._seen.values())).since >= SECONDS or len(self._seen) > MOST
            ):
                lines.append(self._seen.popitem(last=False))
            if kind in self._seen:
                self._seen[kind].more += 1
                self._seen[kind].reason = refused.reason
            else:
                self._seen[kind] = _Seen(now, refused.reason)
                lines.append((kind, _Seen(now, refused.reason, 1)))
        self._write(lines)

    def close(self) -> None:
        """Log what has been counted and not logged."""
        with self._lock:
            left = list(self._seen.items())
            self._seen.clear()
        self._write(left)

    def _write(self, lines: Iterable[tuple[tuple[str, str], _Seen]]) -> None:
        for (address, title), seen in lines:
            if seen.more:
                self._log(address, f"{title}: {seen.reason}" if seen.reason else title, seen.more)
