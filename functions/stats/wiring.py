"""Composition root of stats: built once per process, kept while its environment is warm."""

from __future__ import annotations

from functions.stats.service import Config, Stats
from shared import adapters
from shared.config.process_cache import once_per_process
from shared.config.shutdown import close_at_exit
from shared.config.startup import start


@once_per_process
def stats() -> Stats:
    """Return this process's service.

    Raises:
        SettingError: a setting is missing or invalid.
    """
    settings = start()
    cache = adapters.cache(settings)
    ledger = adapters.ledger(settings)
    close_at_exit(ledger.close, cache.close)
    config = Config(settings.rate_limit_get, settings.trusted_proxies, settings.rate_limit_status)
    return Stats(config, cache, ledger)
