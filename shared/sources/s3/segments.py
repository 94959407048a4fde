"""Which bytes of an object are still to be requested, and how far it is without a gap: pure."""

from __future__ import annotations

import heapq

SEGMENT_BYTES = 8 * 1024 * 1024
"""Long enough that the cost of a request vanishes, short enough to lose in an interruption."""


class Segments:
    """The bytes of one object, handed out as segments, lowest first.

    Args:
        size: of the object in bytes.
        start: bytes at the beginning that the part has already.
        segment: bytes of a segment.
    """

    def __init__(self, size: int, start: int = 0, segment: int = SEGMENT_BYTES) -> None:
        self.size = size
        self._segment = segment
        self._next = start
        self._returned: list[tuple[int, int]] = []
        self._gaps: dict[int, int] = {}  # start of each segment being filled → filled up to
        self._filled_to: dict[int, int] = {}

    def take(self) -> tuple[int, int] | None:
        """Hand out a segment as first byte and end (exclusive), None where all are out."""
        if self._returned:
            first, end = heapq.heappop(self._returned)
        elif self._next < self.size:
            first, end = self._next, min(self._next + self._segment, self.size)
            self._next = end
        else:
            return None
        self._gaps[first] = end
        self._filled_to[first] = first
        return first, end

    def take_at(self, position: int) -> tuple[int, int] | None:
        """Hand out the segment that begins at `position`, None where it is out already."""
        if self._returned or self._next != position:
            return None
        return self.take()

    def take_rest(self) -> tuple[int, int]:
        """Hand out everything after the frontier to one stream, taking it from all others."""
        first = self.frontier
        self._next = self.size
        self._returned, self._gaps, self._filled_to = [], {first: self.size}, {first: first}
        return first, self.size

    def fill(self, first: int, position: int) -> None:
        """Note that the segment that began at `first` is complete up to `position`."""
        if position >= self._gaps[first]:
            del self._gaps[first], self._filled_to[first]
        else:
            self._filled_to[first] = position

    def give_back(self, first: int) -> None:
        """Take back what is missing of a segment, to be handed out again."""
        end, position = self._gaps.pop(first), self._filled_to.pop(first)
        heapq.heappush(self._returned, (position, end))

    @property
    def frontier(self) -> int:
        """Bytes from the beginning without a gap."""
        return min([self._next, *self._filled_to.values(), *(first for first, _ in self._returned)])

    @property
    def exhausted(self) -> bool:
        """Whether no segment is left to hand out."""
        return not self._returned and self._next >= self.size
