"""Composition root of reconcile: built once per process, kept while its environment is warm."""

from __future__ import annotations

from datetime import UTC, datetime

from functions.reconcile.places import Places
from functions.reconcile.service import Reconcile
from shared import adapters
from shared.config.process_cache import once_per_process
from shared.config.settings import Settings, needed
from shared.config.shutdown import close_at_exit
from shared.config.startup import start
from shared.ledger.ledger import Ledger
from shared.storage.inventory import Inventory


@once_per_process
def reconcile() -> Reconcile:
    """Return this process's service.

    Raises:
        SettingError: a setting is missing or invalid.
    """
    settings = start()
    ledger = adapters.ledger(settings, "reconcile")
    close_at_exit(ledger.close)
    return build(settings, ledger)


def build(settings: Settings, ledger: Ledger) -> Reconcile:
    """Return the service of these settings.

    Raises:
        SettingError: as `reconcile`.
    """
    inventory = Inventory(needed(settings.storage_path, "STORAGE_PATH"))
    storage = adapters.storage(settings, ledger)
    places = Places(ledger, inventory, storage, lambda: datetime.now(UTC))
    return Reconcile(places, adapters.listing(settings), settings.reconcile_days)
