"""Inspecting, replaying and removing RabbitMQ's dead letters.

In AMQP a message can only be inspected by taking it. One that is taken and not acknowledged returns
to its place when the connection is closed, for whatever reason: nothing is lost if this process
dies in between. RabbitMQ counts how often a quorum queue delivers a message, and eventually drops
it (4.0 and later, by default after 20 times), so a message that was inspected often is replaced by
a copy of itself.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.errors import QueueUnavailable, UnreadableMessage
from shared.queue.messages import SyncMessage, header_text
from shared.queue.rabbitmq.session import Session, Taken
from shared.queue.rabbitmq.topology import DEAD, QUEUE, REASON, moved, sent_at

SECONDS = 10.0
"""Time limit of one step."""

RENEWED_AFTER = 8
"""Deliveries after which a message is replaced, well below RabbitMQ's default limit of 20."""

_DELIVERIES = "x-delivery-count"
_DEATHS = "x-death"


class Fate(enum.Enum):
    """What to do with a dead letter."""

    KEEP = "keep"
    REPLAY = "replay"
    """Put it back in the queue, as it was originally."""
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that could not be processed.

    Attributes:
        id: of the message, empty if it has none.
        reason: why it is a dead letter.
        at: when it became one, or was sent (aware); None if unknown.
        row_id: the row that it names, None if it names none.
        body: as received.
        headers: as received.
    """

    id: str
    reason: str
    at: datetime | None
    row_id: int | None
    body: bytes
    headers: dict[str, Any]


def count(url: str) -> int:
    """Return how many dead letters there are.

    Raises:
        QueueUnavailable: the broker is unreachable, or has no such queue.
    """
    with closing(Session(url, timeout=SECONDS)) as session:
        return session.depth(DEAD)


def go_through(
    url: str, decide: Callable[[DeadLetter], Fate], most: int
) -> Iterator[tuple[DeadLetter, Fate]]:
    """Go through dead letters, oldest first, and yield each with what was done with it.

    Args:
        url: of the broker.
        decide: returns what to do with each.
        most: how many to inspect at most; those that arrive meanwhile are left out.

    Raises:
        QueueUnavailable: the broker is unreachable, or does not accept a replayed message. Those
            that were yielded are done; the rest is kept.
    """
    with (
        closing(Session(url, timeout=SECONDS)) as session,
        closing(Session(url, timeout=SECONDS)) as publisher,
    ):
        for _ in range(min(most, session.depth(DEAD))):
            taken = session.get(DEAD)
            if taken is None:
                return
            letter = _letter(taken)
            fate = decide(letter)
            if fate is Fate.REPLAY:
                _publish(publisher, QUEUE, taken)
            elif fate is Fate.KEEP and _deliveries(taken) >= RENEWED_AFTER:
                _publish(publisher, DEAD, taken)
            elif fate is Fate.KEEP:
                yield letter, fate
                continue
            session.ack(taken, DEAD)
            yield letter, fate


def _publish(publisher: Session, queue: str, taken: Taken) -> None:
    if not publisher.publish([moved(queue, taken.body, taken.properties)]):
        raise QueueUnavailable(f"{queue} is missing or refused the message")


def _letter(taken: Taken) -> DeadLetter:
    properties = taken.properties
    headers: dict[str, Any] = dict(properties.headers or {})
    try:
        row_id = SyncMessage.decode(taken.body).row_id
    except UnreadableMessage:
        row_id = None
    return DeadLetter(
        id=properties.message_id or "",
        reason=header_text(headers.get(REASON)) or _broker_reason(headers),
        at=sent_at(properties),
        row_id=row_id,
        body=taken.body,
        headers=headers,
    )


def _broker_reason(headers: dict[str, Any]) -> str:
    """Return why RabbitMQ itself made a message a dead letter (guide, "Dead Lettered Effects")."""
    deaths = headers.get(_DEATHS)
    if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict):
        return f"RabbitMQ: {deaths[0].get('reason', '')} in {deaths[0].get('queue', '')}"
    return ""


def _deliveries(taken: Taken) -> int:
    found = (taken.properties.headers or {}).get(_DELIVERIES)
    return found if isinstance(found, int) else 0
