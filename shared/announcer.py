"""Announcing a committed row to the workers: the interface, and the announcer that says nothing.

A row is delivered whatever becomes of its announcement, since the scheduled requeue finds every
row that is due. An announcement only makes it fast. So an announcer never raises and never holds
a request up for longer than its time limit; what it loses, it counts and logs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the rows announced so far.

    Attributes:
        announced: calls of `announce`.
        confirmed: messages that the broker took charge of.
        lost: by reason, messages left to the scheduled requeue.
    """

    announced: int = 0
    confirmed: int = 0
    lost: Mapping[str, int] = field(default_factory=dict)


class Announcer(Protocol):
    """Tells the workers of rows that were committed."""

    def announce(self, row_id: int, request_id: str) -> None:
        """Announces a row; never raises.

        Args:
            row_id: id of the committed row.
            request_id: id of the request that recorded it.
        """

    def close(self, timeout: float) -> None:
        """Sends what still waits, for at most `timeout` seconds, and lets the broker go.

        May be called twice; what is announced afterwards is lost.
        """

    def counts(self) -> Counts:
        """Tells what became of the announcements so far."""


class SilentAnnouncer:
    """Announces nothing: without a broker the scheduler finds the rows by itself."""

    def announce(self, row_id: int, request_id: str) -> None:
        """Does nothing, on purpose."""

    def close(self, timeout: float) -> None:
        """Does nothing: nothing waits."""

    def counts(self) -> Counts:
        """Gives zeros."""
        return Counts()


def announcer(settings: Settings) -> Announcer:
    """Gives the announcer that fits: none without a broker, a blocking one on Lambda.

    A Lambda sandbox freezes as soon as its function returns, so there the message must be out by
    then. Elsewhere one background publisher serves all threads of the process.
    """
    if settings.rabbitmq_url is None:
        return SilentAnnouncer()
    # The driver is imported only where there is a broker to talk to: a cold start pays for it.
    if settings.on_lambda:
        from shared.rabbitmq.blocking import BlockingAnnouncer  # noqa: PLC0415

        return BlockingAnnouncer(settings.rabbitmq_url)
    from shared.rabbitmq.background import BackgroundAnnouncer  # noqa: PLC0415

    return BackgroundAnnouncer(settings.rabbitmq_url)
