"""Inspecting the broker from outside: its version, its queues, and how they were declared."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

from pika.channel import Channel

from shared.errors import QueueUnavailable
from shared.queue.rabbitmq.nodes import split
from shared.queue.rabbitmq.session import Session
from shared.queue.rabbitmq.topology import DEAD, QUEUE, arguments


@dataclass(frozen=True, slots=True)
class QueueFound:
    """What was found about a queue.

    Attributes:
        name: of the queue.
        messages: how many wait; None if there is no such queue.
        consumers: how many consumers it has.
        differs: how its properties differ from those that this version declares, in the broker's
            words; empty if they do not.
    """

    name: str
    messages: int | None
    consumers: int
    differs: str


@dataclass(frozen=True, slots=True)
class NodeFound:
    """What was found about one node of a broker.

    Attributes:
        place: its host and port.
        product: its name and version, as it reports them; empty if it is unreachable.
        problem: why it is unreachable, otherwise empty.
    """

    place: str
    product: str
    problem: str


@dataclass(frozen=True, slots=True)
class BrokerFound:
    """What was found about a broker.

    Attributes:
        nodes: those that its URL names.
        queues: the ones of this service; empty if no node is reachable.
    """

    nodes: tuple[NodeFound, ...]
    queues: tuple[QueueFound, ...]


def depths(url: str, seconds: float) -> tuple[int, int]:
    """Count the messages of the queue, and the dead letters.

    Raises:
        QueueUnavailable: the broker is unreachable, or has no such queue.
    """
    with closing(Session(url, timeout=seconds)) as session:
        return session.depth(QUEUE), session.depth(DEAD)


def inspect(url: str, queue_type: str, seconds: float) -> BrokerFound:
    """Inspect the broker and our queues; nothing is created or changed.

    Args:
        url: of the broker.
        queue_type: the expected type of the queues, `quorum` or `classic`.
        seconds: time limit of each step.

    Raises:
        QueueUnavailable: the broker is unreachable, since it answered for its product.
        SettingError: the URL is invalid.
    """
    nodes = tuple(_inspect_node(each, seconds) for each in split(url))
    reachable = any(node.product for node in nodes)
    names = (QUEUE, DEAD) if reachable else ()
    return BrokerFound(nodes, tuple(_inspect_queue(url, n, queue_type, seconds) for n in names))


def _inspect_node(url: str, seconds: float) -> NodeFound:
    place = url.partition("://")[2].rpartition("@")[2]
    place = re.split("[/?#]", place, maxsplit=1)[0]
    with closing(Session(url, timeout=seconds)) as session:
        try:
            return NodeFound(place, session.product(), "")
        except QueueUnavailable as error:
            return NodeFound(place, "", str(error))


def _inspect_queue(url: str, name: str, queue_type: str, seconds: float) -> QueueFound:
    # A refusal closes the channel, so each queue is asked for on a connection of its own.
    with closing(Session(url, timeout=seconds)) as session:
        try:
            there = session.ask(partial(_declare, name, None))
        except QueueUnavailable as error:
            if "NOT_FOUND" in error.about:
                return QueueFound(name, None, 0, "")
            raise
        try:
            session.ask(partial(_declare, name, queue_type))
        except QueueUnavailable as error:
            if "PRECONDITION_FAILED" not in error.about:
                raise
            return QueueFound(name, there.message_count, there.consumer_count, error.about)
        return QueueFound(name, there.message_count, there.consumer_count, "")


def _declare(
    name: str, queue_type: str | None, channel: Channel, on_reply: Callable[[Any], None]
) -> None:
    """Declare a queue; without a type passively, which only checks that it exists."""
    if queue_type is None:
        channel.queue_declare(name, passive=True, callback=on_reply)
    else:
        channel.queue_declare(
            name, durable=True, arguments=arguments(name, queue_type), callback=on_reply
        )
