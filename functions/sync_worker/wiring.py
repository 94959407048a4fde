"""Composition root of the sync worker: built once per process, kept while a sandbox is warm."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from functions.sync_worker.service import Limits, SyncWorker
from functions.sync_worker.settler import Settler
from shared import chosen
from shared.ledger.ledger import Ledger
from shared.once import once
from shared.retry import RetryPolicy
from shared.settings import Settings, needed
from shared.startup import start
from shared.storage import LocalStorage

if TYPE_CHECKING:
    from shared.queue import Queue


@once
def settings() -> Settings:
    """Gives this process's settings.

    Raises:
        SettingError: one is missing or wrong.
    """
    return start(required=("DATABASE_URL", "STORAGE_PATH"))


@once
def worker() -> SyncWorker:
    """Gives this process's worker.

    Raises:
        SettingError: a setting is missing or wrong.
    """
    ours = settings()
    ledger = Ledger.at(needed(ours.database_url, "DATABASE_URL"))
    storage = LocalStorage(needed(ours.storage_path, "STORAGE_PATH"))
    policy = RetryPolicy(ours.max_attempts)
    # Spreading retries is no secret's business.
    jitter = random.Random().random  # noqa: S311
    return SyncWorker(
        Limits(ours.lease_seconds, ours.max_attempts),
        ledger,
        chosen.source(ours),
        storage,
        Settler(ledger, storage, policy, jitter),
    )


@once
def queue() -> Queue:
    """Gives the queue, which has a place for unreadable messages."""
    return chosen.queue(settings())
