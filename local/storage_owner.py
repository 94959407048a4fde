"""Whose the storage is: looked at before a worker starts, changed by `./sync adopt-storage`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.run_as import own
from shared import adapters
from shared.config.settings import Settings, needed
from shared.errors import StorageForeign, StorageUnavailable, Unavailable
from shared.storage.local import LocalStorage
from shared.storage.parts import FOLDER


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
        keep_owner(Path(needed(settings.storage_path, "STORAGE_PATH")))


def keep_owner(folder: Path) -> None:
    """Give what root has made in a storage to the storage's owner, who is to change it later."""
    if os.geteuid() == 0 and (folder / FOLDER).is_dir():
        owner = folder.stat()
        own(folder / FOLDER, owner.st_uid, owner.st_gid)
