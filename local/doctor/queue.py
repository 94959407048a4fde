"""RabbitMQ: reachable, new enough, its queues declared as this version needs them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from local.doctor.finding import Finding, ok, problem, skipped, warning
from local.doctor.versions import numbers
from shared.config.settings import Settings
from shared.errors import QueueUnavailable, SettingError

if TYPE_CHECKING:
    from shared.queue.rabbitmq.inspection import BrokerFound

LEAST_VERSION = (3, 8)
"""The first version with quorum queues."""

ADVICE = "start it, or correct host, login and vhost in RABBITMQ_URL"


def examine(settings: Settings, seconds: float) -> Iterator[Finding]:
    """Yield the findings about the broker.

    Args:
        settings: with the broker's URL and the type of the queues.
        seconds: time limit of each step.
    """
    if settings.rabbitmq_url is None:
        yield skipped("RabbitMQ", "not used: the scheduler hands rows to the worker")
        return
    from shared.queue.rabbitmq.inspection import inspect  # noqa: PLC0415 # pika
    from shared.queue.rabbitmq.topology import DEAD, QUEUE  # noqa: PLC0415 # as above

    try:
        found = inspect(settings.rabbitmq_url, settings.queue_type, seconds)
    except (QueueUnavailable, SettingError) as error:
        yield problem("RabbitMQ", str(error), ADVICE)
        return
    yield from _nodes(found)
    for queue in found.queues:
        check = f"queue {queue.name}"
        if queue.messages is None:
            yield problem(check, "it does not exist", "run ./sync migrate")
        elif queue.differs:
            yield problem(
                f"{check} arguments",
                queue.differs,
                f"stop the service, delete the queue {queue.name}, and run ./sync migrate; its"
                " objects are published again",
            )
        elif queue.name == DEAD and queue.messages:
            yield warning(check, f"{queue.messages} dead letters", "./sync dead-letters show")
        elif queue.name == QUEUE and not queue.consumers:
            yield warning(
                check, f"{queue.messages} messages, and no consumer", "start ./sync trigger"
            )
        else:
            yield ok(check, f"{queue.messages} messages, declared as expected")


def _nodes(found: BrokerFound) -> Iterator[Finding]:
    several = len(found.nodes) > 1
    for node in found.nodes:
        check = f"RabbitMQ at {node.place}" if several else "RabbitMQ"
        if node.problem:
            # As long as another one works, the service does.
            finding = warning if found.queues else problem
            yield finding(check, node.problem, ADVICE)
        elif numbers(node.product.rpartition(" ")[2]) < LEAST_VERSION:
            yield problem(check, node.product, "upgrade it to 3.8 or newer")
        else:
            yield ok(check, f"reachable, {node.product}")
