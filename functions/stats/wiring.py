"""Composition root of stats: built once per process, kept while its environment is warm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from functions.stats.service import Config, Stats
from shared import adapters
from shared.config.process_cache import once_per_process
from shared.config.shutdown import close_at_exit
from shared.config.startup import start
from shared.metrics.catalog import Sample
from shared.metrics.exporting import shared_files

if TYPE_CHECKING:
    from functions.stats.metrics import MetricsReader


@once_per_process
def stats() -> Stats:
    """Return this process's service.

    Raises:
        SettingError: a setting is missing or invalid.
    """
    settings = start()
    ledger = adapters.ledger(settings, "stats")
    cache = adapters.cache(settings, ledger)
    close_at_exit(ledger.close, cache.close)
    config = Config(
        settings.rate_limit_get,
        settings.trusted_proxies,
        settings.rate_limit_status,
        settings.metrics_networks,
        settings.rate_limit_client,
    )
    return Stats(config, cache, ledger)


@once_per_process
def metrics() -> MetricsReader | None:
    """Return this process's reader of the metrics; None where none are collected, as on AWS."""
    settings = start()
    if settings.metrics_path is None or settings.on_lambda:
        return None
    from functions.stats.metrics import MetricsReader
    from shared.metrics import readings

    ledger = adapters.ledger(settings, "stats")
    close_at_exit(ledger.close)
    parts: dict[str, Callable[[], Sequence[Sample]]] = {
        "database": lambda: readings.of_ledger(ledger)
    }
    if settings.has_queue:
        queue = adapters.queue(settings)
        close_at_exit(queue.close)
        parts["queue"] = lambda: readings.of_queue(queue)
    if settings.storage_path:
        folder = Path(settings.storage_path)
        parts["storage"] = lambda: readings.of_storage(folder)
    return MetricsReader(shared_files(settings.metrics_path), parts)
