"""How many rows a worker claims ahead: as many as it copies in a moment."""

from __future__ import annotations

AHEAD_SECONDS = 0.25
"""How long the rows that are claimed at once take to copy. A statement costs PostgreSQL a
millisecond before it looks at its first row, so the more rows share one, the better; but what is
claimed is lost for a lease if the worker dies, and no other worker can take it meanwhile."""

LEAST = 2
"""Fewest rows at once, as a multiple of the objects that are copied at once: the next is there when
one ends."""

MOST = 8
"""Most rows at once, as the same multiple."""


class Pace:
    """Adapts to how fast objects are copied; kept from one invocation to the next.

    Args:
        concurrency: objects that the source copies at once.

    Attributes:
        rows: claimed objects that have not ended, at most.
    """

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self.rows = LEAST * concurrency

    @property
    def few(self) -> int:
        """The number of running transfers at which the next rows are claimed.

        It is more than the source copies at once, so that it never waits for a claim.
        """
        busy = self._concurrency + self._concurrency // 2
        return min(max(self.rows // 2, busy), self.rows - 1)

    def adapt(self, ended: int, seconds: float) -> None:
        """Choose the number of rows.

        Args:
            ended: transfers that have ended since the last claim.
            seconds: since then.
        """
        if seconds > 0:
            rows = int(ended / seconds * AHEAD_SECONDS)
            self.rows = min(max(rows, LEAST * self._concurrency), MOST * self._concurrency)
