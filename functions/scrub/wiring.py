"""Composition root of scrub: built once per process, kept while its environment is warm."""

from __future__ import annotations

from functions.scrub.checking import Checker
from functions.scrub.service import Scrub
from shared import adapters
from shared.config.process_cache import once_per_process
from shared.config.settings import Settings, needed
from shared.config.shutdown import close_at_exit
from shared.config.startup import start
from shared.ledger.ledger import Ledger
from shared.storage.reading import StorageReader


@once_per_process
def scrub() -> Scrub:
    """Return this process's service.

    Raises:
        SettingError: a setting is missing or invalid.
    """
    settings = start()
    ledger = adapters.ledger(settings, "scrub")
    close_at_exit(ledger.close)
    return build(settings, ledger)


def build(settings: Settings, ledger: Ledger) -> Scrub:
    """Return the service of these settings.

    Raises:
        SettingError: as `scrub`.
    """
    files = StorageReader(needed(settings.storage_path, "STORAGE_PATH"))
    checker = Checker(ledger.verifications, files, adapters.storage(settings, ledger))
    return Scrub(ledger, checker, settings.scrub_days)
