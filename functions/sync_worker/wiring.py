"""Composition root of the sync worker: built once per process, kept while a sandbox is warm."""

from __future__ import annotations

import random

from functions.sync_worker.service import Limits, SyncWorker
from functions.sync_worker.settler import Settler
from shared import adapters
from shared.config.process_cache import once_per_process
from shared.config.settings import Settings, needed
from shared.config.startup import start
from shared.ledger.ledger import Ledger
from shared.queue.interface import Queue
from shared.retry import RetryPolicy
from shared.storage.local import LocalStorage


@once_per_process
def settings() -> Settings:
    """Gives this process's settings.

    Raises:
        SettingError: one is missing or wrong.
    """
    return start(required=("DATABASE_URL", "STORAGE_PATH"))


@once_per_process
def worker() -> SyncWorker:
    """Return this process's worker.

    Raises:
        SettingError: a setting is missing or wrong.
    """
    ours = settings()
    ledger = Ledger.at(needed(ours.database_url, "DATABASE_URL"))
    storage = LocalStorage(needed(ours.storage_path, "STORAGE_PATH"))
    policy = RetryPolicy(ours.max_attempts)
    # Spreading retries is no secret's business.
    jitter = random.Random().random
    return SyncWorker(
        Limits(ours.lease_seconds, ours.max_attempts),
        ledger,
        adapters.source(ours),
        storage,
        Settler(ledger, storage, policy, jitter),
    )


@once_per_process
def queue() -> Queue:
    """Return the queue, which has a place for unreadable messages."""
    return adapters.queue(settings())
