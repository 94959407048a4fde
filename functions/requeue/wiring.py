"""Composition root of requeue: built once per process, kept while its environment is warm."""

from __future__ import annotations

from functions.requeue.service import Config, Requeue
from shared import adapters
from shared.config.process_cache import once_per_process
from shared.config.shutdown import close_at_exit
from shared.config.startup import settings


@once_per_process
def requeue() -> Requeue:
    """Return this process's service.

    Raises:
        SettingError: a setting is missing or invalid.
    """
    ours = settings()
    ledger = adapters.ledger(ours, "requeue")
    queue = adapters.queue(ours)
    close_at_exit(queue.close, ledger.close)
    config = Config(ours.delivery_seconds, ours.lease_seconds, ours.max_attempts)
    return Requeue(config, ledger, queue)
