"""Composition root of requeue: built once per process, kept while a sandbox is warm."""

from __future__ import annotations

from functions.requeue.service import Requeue, Times
from shared import adapters
from shared.config.process_cache import once_per_process
from shared.config.settings import Settings, needed
from shared.config.startup import start
from shared.ledger.ledger import Ledger


@once_per_process
def settings() -> Settings:
    """Return this process's settings.

    Raises:
        SettingError: one is missing or wrong.
    """
    found = start(required=("DATABASE_URL",))
    if found.on_lambda:
        # A local run without a broker delivers directly; see `shared.queue.direct`.
        needed(found.rabbitmq_url, "RABBITMQ_URL")
    return found


@once_per_process
def requeue() -> Requeue:
    """Return this process's service.

    Raises:
        SettingError: a setting is missing or wrong.
    """
    ours = settings()
    return Requeue(
        Ledger.at(needed(ours.database_url, "DATABASE_URL")),
        adapters.queue(ours),
        Times(ours.delivery_seconds, ours.lease_seconds),
        ours.max_attempts,
    )
