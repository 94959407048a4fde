"""A complete part, still open since before its first byte was written.

A failed write is reported to the descriptors that were open when it happened, and once it has been
reported, to none that is opened later. So the descriptor that wrote a part is the one that
proves it durable.
"""

from __future__ import annotations

import errno
import os
import resource
from typing import ClassVar, Self

from shared.storage.durability import check_written, sync

SHARE = 4
"""One in so many of the process's descriptors may be held for parts; connections, and parts that
are being written, need the others."""


class OpenPart:
    """The descriptor of a complete part; its lock ends when it is closed.

    Args:
        descriptor: that wrote the part; it is closed with this object at the latest.
    """

    _held: ClassVar[set[int]] = set()  # a set, because `__del__` may run in any thread at any time

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor
        self._held.add(descriptor)

    @classmethod
    def of(cls, descriptor: int) -> Self | None:
        """Hold a part open by a second descriptor of the same opening.

        Where the process holds too many already, the part is made durable at once instead: the
        storage cannot keep up then, and the downloads must wait for it anyway.

        Args:
            descriptor: that wrote the part; it stays the caller's to close.

        Returns:
            The open part; None for one that is durable already.

        Raises:
            OSError: the content may not be on disk, or the system refuses.
        """
        if len(cls._held) < _most():
            try:
                return cls(os.dup(descriptor))
            except OSError as error:
                if error.errno not in {errno.EMFILE, errno.ENFILE}:
                    raise
        sync(descriptor)
        return None

    def sync(self) -> None:
        """Wait until the content is on disk.

        Raises:
            OSError: it may not be, and no later call would tell.
        """
        sync(self._number())

    def check_written(self) -> None:
        """Raise what went wrong when the content was written; see `durability.check_written`.

        Raises:
            OSError: it is not on disk.
        """
        check_written(self._number())

    def close(self) -> None:
        """Release the part; closing it again does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            self._held.discard(descriptor)
            os.close(descriptor)

    def __del__(self) -> None:
        """Close a part whose transfer was given up on the way."""
        self.close()

    def _number(self) -> int:
        if self._descriptor is None:
            raise ValueError("the part is closed")
        return self._descriptor


def _most() -> int:
    """Return how many parts the process may hold open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft // SHARE if soft != resource.RLIM_INFINITY else 1 << 16
