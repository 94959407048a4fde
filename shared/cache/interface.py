"""Counters that many processes share, for rate limits. They only limit; nothing depends on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Counter:
    """One counter of a fixed window, and the one of the window before it.

    Attributes:
        key: ASCII without spaces, at most 250 bytes.
        previous_key: the same of the window before.
        lifetime: seconds after which the counter may be forgotten.
    """

    key: str
    previous_key: str
    lifetime: int


class Cache(Protocol):
    """Counters that many processes share."""

    def count(self, counters: Sequence[Counter]) -> list[tuple[int, int]]:
        """Adds one to each counter, atomically.

        Returns:
            For each the new count and the count of the window before.

        Raises:
            CacheUnavailable: the server did not answer, or not in time.
        """
        ...

    def take_back(self, counters: Sequence[Counter]) -> None:
        """Take one from each counter, never below zero.

        Raises:
            CacheUnavailable: as `count`.
        """
        ...

    def ping(self) -> None:
        """Return when the server answers.

        Raises:
            CacheUnavailable: as `count`.
        """
        ...
