"""Composition root of stats: built once per process, kept while a sandbox is warm."""

from __future__ import annotations

from functions.stats.service import Stats
from shared import adapters
from shared.config.process_cache import once_per_process
from shared.config.settings import needed
from shared.config.startup import start
from shared.ledger.ledger import Ledger


@once_per_process
def stats() -> Stats:
    """Return this process's service.

    Raises:
        SettingError: a setting is missing or wrong.
    """
    settings = start(required=("DATABASE_URL",))
    return Stats(
        settings.rate_limit_get,
        settings.trusted_proxies,
        adapters.cache(settings),
        Ledger.at(needed(settings.database_url, "DATABASE_URL")),
    )
