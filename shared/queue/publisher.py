"""Announcing a committed row to the workers: the interface, and the publisher that says nothing.

A row is delivered whatever becomes of its announcement, since the scheduled requeue finds every
row that is due. An announcement only makes it fast. So an publisher never raises and never holds
a request up for longer than its time limit; what it loses, it counts and logs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

FLUSH_SECONDS = 5.0
"""Seconds that messages get to leave when a process stops."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the rows announced so far.

    Attributes:
        published: calls of `publish`.
        confirmed: messages that the broker took charge of.
        lost: by reason, messages left to the scheduled requeue.
    """

    published: int = 0
    confirmed: int = 0
    lost: Mapping[str, int] = field(default_factory=dict)


class Publisher(Protocol):
    """Tells the workers of rows that were committed."""

    def publish(self, row_id: int, request_id: str) -> None:
        """Publishes a row; never raises.

        Args:
            row_id: id of the committed row.
            request_id: id of the request that recorded it.
        """

    def close(self, timeout: float) -> None:
        """Send what still waits, for at most `timeout` seconds, and let the broker go.

        May be called twice; what is announced afterwards is lost.
        """

    def counts(self) -> Counts:
        """Tells what became of the announcements so far."""


class NullPublisher:
    """Publishes nothing: without a broker the scheduler finds the rows by itself."""

    def publish(self, row_id: int, request_id: str) -> None:
        """Does nothing, on purpose."""

    def close(self, timeout: float) -> None:
        """Do nothing: nothing waits."""

    def counts(self) -> Counts:
        """Return zeros."""
        return Counts()
