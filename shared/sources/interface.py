"""Where objects come from."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Protocol

from shared.domain import Fetched, Wanted


class ObjectSource(Protocol):
    """Where objects come from."""

    def fetch(self, wanted: Wanted, part: Path) -> Future[Fetched]:
        """Starts copying one object into `part` and returns at once.

        The source bounds how many copies run at the same time and how much memory they take.
        A part left by an earlier attempt may be continued where its content can be proven.

        Args:
            wanted: the object.
            part: the part file to write, see `Storage.parts`.

        Returns:
            A future of the verified copy. It raises `RetryLater` or `GiveUp`, never a
            driver's error. Cancelling it, even while it runs, ends the copy soon.
        """
        ...

    def close(self) -> None:
        """Ends running copies and frees connections."""
        ...
