"""Publishing a committed row's message: the interface, and the publisher that sends nothing.

The ledger is the outbox, so a row is delivered whatever becomes of its message: the scheduled
requeue finds every row that is due. A message only makes delivery fast. So a publisher never raises
and never delays a request for longer than its time limit; it counts and logs what it loses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

FLUSH_SECONDS = 5.0
"""Seconds that messages get to leave when a process stops."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the rows published so far.

    Attributes:
        published: calls of `publish`.
        confirmed: messages that the broker took charge of (publisher confirms).
        lost: by reason, messages left to the scheduled requeue.
    """

    published: int = 0
    confirmed: int = 0
    lost: Mapping[str, int] = field(default_factory=dict)

    def fields(self) -> dict[str, Any]:
        """Return the counts as the fields of a log line."""
        return asdict(self)


class Publisher(Protocol):
    """Sends the messages of committed rows to the workers."""

    def publish(self, row_id: int, request_id: str) -> None:
        """Publish a row's message; never raise.

        Args:
            row_id: id of the committed row.
            request_id: id of the request that recorded it.
        """

    def close(self, timeout: float) -> None:
        """Send what still waits, for at most `timeout` seconds, and close the connection.

        The counts are logged. May be called twice; what is published afterwards is lost.
        """

    def counts(self) -> Counts:
        """Return what became of the rows so far."""


class NullPublisher:
    """Sends nothing: without a broker requeue finds the rows by itself."""

    def publish(self, row_id: int, request_id: str) -> None:
        """Do nothing, on purpose."""

    def close(self, timeout: float) -> None:
        """Do nothing: nothing waits."""

    def counts(self) -> Counts:
        """Return zeros."""
        return Counts()
