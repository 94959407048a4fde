"""Composition root of requeue: built once per process, kept while a sandbox is warm."""

from __future__ import annotations

from functools import cache

from functions.requeue.service import Requeue
from shared.ledger.ledger import Ledger
from shared.queue import queue
from shared.settings import needed
from shared.startup import start


@cache
def requeue() -> Requeue:
    """Gives this process's service.

    Raises:
        SettingError: a setting is missing or wrong.
    """
    settings = start(required=("DATABASE_URL", "RABBITMQ_URL"))
    return Requeue(
        Ledger.at(needed(settings.database_url, "DATABASE_URL")),
        queue(settings),
        settings.delivery_seconds,
        settings.max_attempts,
    )
