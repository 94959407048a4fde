"""The installation: one ledger with its identity, and the storage that it is bound to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shared.ledger.database import Database, Transaction


class Installation:
    """What the ledger says of itself; the `Owner` of a storage.

    Args:
        database: the ledger's.

    Every method raises `LedgerUnavailable` if PostgreSQL is unreachable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._identity = ""

    @property
    def identity(self) -> str:
        """32 hex digits, made with the ledger and restored with its backup; read once."""
        if not self._identity:
            (row,) = self._database.run("installation")
            self._identity = row.identity
        return self._identity

    @contextmanager
    def binding(self) -> Iterator[StorageBinding]:
        """Lock what is remembered of the storage; what the block binds is committed at its end."""
        with self._database.transaction() as step:
            (row,) = step("lock_installation")
            yield StorageBinding(step, row.storage_place)


class StorageBinding:
    """The open transaction of `Installation.binding`.

    Attributes:
        place: the folder that was bound last, None if there has been none.
    """

    def __init__(self, step: Transaction, place: str | None) -> None:
        self._step = step
        self.place = place

    def bind(self, place: str) -> None:
        """Remember a folder, from the commit on."""
        self._step("bind_storage", place=place)
