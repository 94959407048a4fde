"""The scheduler's process: requeue, again and again."""

from __future__ import annotations

from collections.abc import Callable

from functions.requeue import handler as requeue_handler
from functions.requeue.service import Requeue, Times
from functions.sync_worker import handler as worker_handler
from local.context import Context
from local.environment import LocalEnvironment
from local.scheduler import DIRECT_SECONDS, DirectQueue, repeat
from local.shutdown import Stop
from local.template import load
from shared.config.settings import needed
from shared.config.startup import start
from shared.ledger.ledger import Ledger


def main(environment: LocalEnvironment) -> None:
    """Runs the schedule until SIGTERM or SIGINT; what is running then is finished.

    Raises:
        SettingError: a setting is missing or wrong.
    """
    stop = Stop.on_signals()
    with_broker = "RABBITMQ_URL" in environment.given or "RABBITMQ_URL_ARN" in environment.given
    if with_broker:
        repeat(_scheduled, environment.schedule_seconds, stop, "requeue")
    else:
        repeat(_direct(stop), DIRECT_SECONDS, stop, "delivery")


def _scheduled() -> None:
    requeue_handler.handler({"source": "aws.events"}, None)


def _direct(stop: Stop) -> Callable[[], object]:
    settings = start(required=("DATABASE_URL", "STORAGE_PATH"))
    template = load()
    queue = DirectQueue(
        worker_handler.handler, template.batch_size, lambda: Context(template.worker_seconds)
    )
    ledger = Ledger.at(needed(settings.database_url, "DATABASE_URL"))
    times = Times(settings.delivery_seconds, settings.lease_seconds)
    requeue = Requeue(ledger, queue, times, settings.max_attempts)
    return lambda: requeue.run(going=lambda: not stop.is_set())
