"""Composition root of the worker: built once per process, kept while its environment is warm."""

from __future__ import annotations

import random

from functions.sync_worker.intake import Config
from functions.sync_worker.service import SyncWorker
from functions.sync_worker.settler import Settler
from shared import adapters
from shared.config.process_cache import once_per_process
from shared.config.shutdown import close_at_exit
from shared.config.startup import start
from shared.queue.interface import Queue
from shared.retry import RetryPolicy


@once_per_process
def worker() -> SyncWorker:
    """Return this process's worker.

    Raises:
        SettingError: a setting is missing or invalid.
    """
    settings = start()
    ledger = adapters.ledger(settings)
    storage = adapters.storage(settings)
    source = adapters.source(settings)
    close_at_exit(source.close, ledger.close)
    policy = RetryPolicy(settings.max_attempts)
    return SyncWorker(
        Config(
            settings.lease_seconds,
            settings.max_attempts,
            settings.sync_concurrency,
            settings.delivery_seconds,
        ),
        ledger,
        source,
        storage,
        Settler(ledger, storage, policy, jitter=random.Random().random),
    )


@once_per_process
def queue() -> Queue:
    """Return the queue, which keeps unreadable messages as dead letters."""
    opened = adapters.queue(start())
    close_at_exit(opened.close)
    return opened
