"""Composition root of stats: built once per process, kept while a sandbox is warm."""

from __future__ import annotations

from functions.stats.service import Stats
from shared import chosen
from shared.ledger.ledger import Ledger
from shared.once import once
from shared.settings import needed
from shared.startup import start


@once
def stats() -> Stats:
    """Gives this process's service.

    Raises:
        SettingError: a setting is missing or wrong.
    """
    settings = start(required=("DATABASE_URL",))
    return Stats(
        settings.rate_limit_get,
        settings.trusted_proxies,
        chosen.cache(settings),
        Ledger.at(needed(settings.database_url, "DATABASE_URL")),
    )
