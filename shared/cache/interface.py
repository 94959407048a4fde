"""Counters that many processes share, for rate limits: nothing else depends on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Counter:
    """One counter of a fixed window, and that of the window before it.

    Attributes:
        key: ASCII without spaces, at most 250 bytes: a name, a colon, and the window's number.
        previous_key: the same for the window before.
        lifetime: seconds after which the counter may be forgotten.
    """

    key: str
    previous_key: str
    lifetime: int

    @property
    def name(self) -> str:
        """What is counted, the same in every window."""
        return self.key.rpartition(":")[0]


class Cache(Protocol):
    """Counters that many processes share."""

    def count(self, counters: Sequence[Counter]) -> list[tuple[int, int]]:
        """Add one to each counter, atomically.

        Returns:
            For each counter the new count and the count of the window before.

        Raises:
            CacheUnavailable: the server did not answer, or not in time.
        """
        ...

    def take_back(self, counters: Sequence[Counter]) -> None:
        """Subtract one from each counter, never below zero.

        Raises:
            CacheUnavailable: as `count`.
        """
        ...

    def ping(self) -> None:
        """Return once the server has answered.

        Raises:
            CacheUnavailable: as `count`.
        """
        ...

    def close(self) -> None:
        """Close the connections, if there are any; safe to repeat."""
        ...
