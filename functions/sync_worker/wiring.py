"""Composition root of the worker: built once per process, kept while its environment is warm."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable

from functions.sync_worker.breaker import Breaker
from functions.sync_worker.intake import Config
from functions.sync_worker.service import SyncWorker
from functions.sync_worker.settler import Settler
from shared import adapters
from shared.aws.function import Function
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
    ledger = adapters.ledger(settings, "worker")
    storage = adapters.storage(settings, ledger)
    source = adapters.source(settings)
    close_at_exit(source.close, ledger.close)
    policy = RetryPolicy(settings.max_attempts)
    # Execution environments come and go, and share their storage.
    machine = "lambda" if settings.on_lambda else socket.gethostname()
    breaker = Breaker(ledger.pauses, source, storage, machine)
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
        Settler(ledger, storage, policy, breaker, jitter=random.Random().random),
        breaker,
    )


def prepare() -> None:
    """Build the worker and load what its first copy needs, before messages or rows wait for it.

    Raises:
        SettingError: a setting is missing or invalid.
    """
    worker().warm_up()


@once_per_process
def start_notify() -> Callable[[], object]:
    """Return what has recorded callbacks delivered at once, where their schedule is too slow."""
    name = start().notify_function
    if name is None:
        return lambda: None
    return Function(name).start


@once_per_process
def queue() -> Queue:
    """Return the queue, which keeps unreadable messages as dead letters."""
    opened = adapters.queue(start())
    close_at_exit(opened.close)
    return opened
