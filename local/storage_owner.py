"""Whose the storage is: looked at before a worker starts, changed by `./sync adopt-storage`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shared import adapters
from shared.config.settings import Settings
from shared.errors import StorageForeign, StorageUnavailable, Unavailable
from shared.storage.local import LocalStorage


def require_own_storage(settings: Settings) -> None:
    """Make sure that the worker may write the storage; what may yet come is left to it.

    Raises:
        SettingError: STORAGE_PATH or DATABASE_URL is not set.
        StorageForeign: the storage is another installation's, or has lost the mark of this one.
    """
    with _storage(settings) as storage:
        try:
            storage.check_owner()
        except StorageForeign:
            raise
        except (StorageUnavailable, Unavailable):
            pass  # the worker waits for them


def adopt(settings: Settings) -> Iterator[str]:
    """Make the storage this installation's.

    Yields:
        What was done, a line each.

    Raises:
        SettingError: STORAGE_PATH or DATABASE_URL is not set.
        StorageUnavailable: the folder is missing or cannot be written.
        LedgerUnavailable: PostgreSQL is unreachable.
    """
    with _storage(settings) as storage:
        for other in storage.adopt():
            yield f"no longer used by installation {other}"
        yield f"{settings.storage_path} is used by this installation"


@contextmanager
def _storage(settings: Settings) -> Iterator[LocalStorage]:
    ledger = adapters.ledger(settings)
    storage = adapters.storage(settings, ledger)
    try:
        yield storage
    finally:
        storage.close()
        ledger.close()
