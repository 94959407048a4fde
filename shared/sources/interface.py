"""Where objects come from, and how to see whether it answers."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shared.domain import Fetched, Wanted


class ObjectSource(Protocol):
    """A store of objects."""

    def warm_up(self) -> None:
        """Load now what the first copy would have to wait for; a fault is left to that copy."""
        ...

    def fetch(self, wanted: Wanted, part: Path) -> Future[Fetched]:
        """Start copying one object into `part` and return at once.

        The source bounds how many copies run at the same time and how much memory they take.
        A part left by an earlier attempt may be continued where its content can be proven. A source
        that can tell that the object is still that of `wanted.stored` reads this file in its place.

        Args:
            wanted: the object.
            part: the part file to write, see `Storage.parts`.

        Returns:
            A future of the verified copy. It raises `RetryLater` or `GiveUp`, never a
            driver's error. Cancelling it, even while it runs, ends the copy soon; the future
            counts as done (`concurrent.futures.wait`) once nothing writes the part any more. A
            copy without success leaves no part, except for one that can be continued.
        """
        ...

    def close(self) -> None:
        """End running copies with `OutOfTime`, return when they have ended, free connections."""
        ...


@dataclass(frozen=True, slots=True)
class SourceProbe:
    """How to see whether a source answers, without any right on it.

    Attributes:
        name: of the source, for people.
        ask: returns once it has answered, and raises `SourceUnavailable` otherwise.
    """

    name: str
    ask: Callable[[], None]
