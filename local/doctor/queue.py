"""RabbitMQ: reachable, new enough, its queues declared as this version needs them."""

from __future__ import annotations

from collections.abc import Iterator

from local.doctor.finding import Finding, ok, problem, skipped, warning
from local.doctor.versions import numbers
from shared.config.settings import Settings
from shared.errors import QueueUnavailable, SettingError

LEAST_VERSION = (3, 8)
"""The first version with quorum queues."""


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
        yield problem(
            "RabbitMQ", str(error), "start it, or correct host, login and vhost in RABBITMQ_URL"
        )
        return
    if numbers(found.product.rpartition(" ")[2]) < LEAST_VERSION:
        yield problem("RabbitMQ", found.product, "upgrade it to 3.8 or newer")
    else:
        yield ok("RabbitMQ", f"reachable, {found.product}")
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
