"""Whose storage this is: a mark in `.incoming`, bound to the ledger.

Without it the folder may be a mount point whose file system is not mounted, and with another's mark
a second installation would write, rename and sweep the same files. So nothing is written then.

The mark of an installation is an empty folder by its identity, `.incoming/owner/<identity>`: it is
there whole or not at all, on every file system.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, suppress
from typing import Protocol

from shared.errors import StorageForeign
from shared.storage.folders import open_folder
from shared.storage.parts import FOLDER, open_incoming

MARKS = ("owner",)
"""Names on the way to the marks, from the folder of unfinished files."""

ADOPT = "./sync adopt-storage"


class Binding(Protocol):
    """What the ledger remembers of its storage, read under a lock."""

    place: str | None
    """The folder that was bound last, see `place_of`; None where there has been none."""

    def bind(self, place: str) -> None:
        """Remember the folder, valid once the lock is released."""
        ...


class Owner(Protocol):
    """The installation that a storage belongs to: its ledger."""

    @property
    def identity(self) -> str:
        """32 hex digits."""
        ...

    def binding(self) -> AbstractContextManager[Binding]:
        """Lock what is remembered of the storage for the time of a `with` block."""
        ...


class Ownership:
    """Checks, and makes at the first start, the mark of one installation.

    Args:
        owner: the installation.
        shown: the storage's path, for people.
    """

    def __init__(self, owner: Owner, shown: str) -> None:
        self._owner = owner
        self._shown = shown
        self._remembered: str | None = None

    @property
    def identity(self) -> str:
        """See `Owner`."""
        return self._owner.identity

    def check(self, root: int) -> None:
        """Make sure that the storage is this installation's.

        A storage without a mark is marked if the ledger has never had one, or if it is the very
        folder that the ledger had: then it was emptied.

        Args:
            root: descriptor of the storage's folder.

        Raises:
            StorageForeign: it is not.
            LedgerUnavailable: whether it is cannot be known.
        """
        if self._is_ours(root) and self._remembered == place_of(root):
            return
        with self._owner.binding() as binding:
            place = place_of(root)
            if not self._is_ours(root):
                self._require_unmarked(root, binding)
                self._mark(root)
            if binding.place != place:
                binding.bind(place)
        self._remembered = place

    def look(self, root: int) -> bool:
        """Return whether the storage has this installation's mark; nothing is changed.

        Args:
            root: descriptor of the storage's folder.

        Raises:
            StorageForeign: it has another's, or has lost the mark of this one.
            LedgerUnavailable: whether it has cannot be known.
        """
        if self._is_ours(root):
            return True
        with self._owner.binding() as binding:
            self._require_unmarked(root, binding)
        return False

    def adopt(self, root: int) -> list[str]:
        """Make the storage this installation's, and return the identities of earlier owners.

        Args:
            root: descriptor of the storage's folder.
        """
        with self._owner.binding() as binding:
            others = [mark for mark in _marks(root) if mark != self.identity]
            with (
                open_incoming(root) as incoming,
                open_folder(incoming, MARKS, create=True) as folder,
            ):
                for other in others:
                    os.rmdir(other, dir_fd=folder)
                _make(folder, self.identity)
            binding.bind(place_of(root))
        return others

    def _is_ours(self, root: int) -> bool:
        """Return whether the storage has this installation's mark; False where it has none."""
        marks = _marks(root)
        if others := [mark for mark in marks if mark != self.identity]:
            raise StorageForeign(
                f"{self._shown!r} is used by installation {others[0]}, this one is"
                f" {self.identity}; to take the storage over, run {ADOPT}"
            )
        return bool(marks)

    def _require_unmarked(self, root: int, binding: Binding) -> None:
        """Refuse a storage without a mark that must not be marked."""
        if binding.place not in {None, place_of(root)}:
            raise StorageForeign(
                f"the mark {FOLDER}/{MARKS[0]} is missing in {self._shown!r}; is it"
                f" mounted? If this is the right storage, run {ADOPT}"
            )

    def _mark(self, root: int) -> None:
        with open_incoming(root) as incoming, open_folder(incoming, MARKS, create=True) as folder:
            _make(folder, self.identity)
            try:
                self._is_ours(root)
            except StorageForeign:  # two installations at the same moment
                os.rmdir(self.identity, dir_fd=folder)
                raise


def place_of(folder: int) -> str:
    """Return what tells a folder from all others of its machine, also after a restart."""
    return f"{os.fstatvfs(folder).f_fsid:x}:{os.fstat(folder).st_ino:x}"


def _marks(root: int) -> list[str]:
    try:
        with open_folder(root, (FOLDER, *MARKS), create=False) as folder:
            return [entry.name for entry in os.scandir(folder)]
    except FileNotFoundError:
        return []


def _make(folder: int, name: str) -> None:
    with suppress(FileExistsError):
        os.mkdir(name, 0o777, dir_fd=folder)
