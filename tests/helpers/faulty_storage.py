"""The real storage with failures that a test chooses; it passes the contract of every `Storage`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from shared.domain import Metadata, Wanted
from shared.errors import StorageFull, TransferError
from shared.storage.local import LocalStorage
from shared.storage.open_part import OpenPart


class FaultyStorage:
    """A `Storage` that fails where a test chooses, and is the real one otherwise.

    Args:
        storage: the real one.

    Attributes:
        full: row ids whose parts do not fit.
        unplaceable: row ids whose files cannot be placed.
        before_parts: called before part files are made.
        before_place: called before files are placed.
        before_names: called before names are made durable.
        after_discard: called after parts were discarded.
        swept: how many times `sweep` was called.
    """

    def __init__(self, storage: LocalStorage) -> None:
        self._storage = storage
        self.full: set[int] = set()
        self.unplaceable: set[int] = set()
        self.before_parts: Callable[[], None] = lambda: None
        self.before_place: Callable[[], None] = lambda: None
        self.before_names: Callable[[], None] = lambda: None
        self.after_discard: Callable[[Wanted], None] = lambda _: None
        self.swept = 0

    def parts(self, wanted: Sequence[Wanted]) -> Mapping[int, Path | TransferError]:
        """See `Storage.parts`."""
        self.before_parts()
        return self._storage.parts(wanted)

    def make_durable(self, parts: Mapping[Path, OpenPart | None]) -> Mapping[Path, TransferError]:
        """See `Storage.make_durable`."""
        full = {part for part in parts if int(part.name.partition(".")[0]) in self.full}
        fitting = {part: file for part, file in parts.items() if part not in full}
        for part in full:
            part.unlink(missing_ok=True)
            if file := parts[part]:
                file.close()
        return {**self._storage.make_durable(fitting), **{part: StorageFull() for part in full}}

    def place(
        self,
        files: Sequence[tuple[Wanted, Path]],
        metadata: Mapping[int, Metadata] | None = None,
    ) -> Mapping[int, TransferError]:
        """See `Storage.place`."""
        refused = {w.row_id: StorageFull() for w, _ in files if w.row_id in self.unplaceable}
        self.before_place()
        return {
            **self._storage.place([(w, p) for w, p in files if w.row_id not in refused], metadata),
            **refused,
        }

    def make_names_durable(self, wanted: Sequence[Wanted]) -> Mapping[int, TransferError]:
        """See `Storage.make_names_durable`."""
        self.before_names()
        return self._storage.make_names_durable(wanted)

    def discard(self, wanted: Wanted, *, keep_proven: bool = False) -> None:
        """See `Storage.discard`."""
        self._storage.discard(wanted, keep_proven=keep_proven)
        self.after_discard(wanted)

    def sweep(self, older_than: float) -> int:
        """See `Storage.sweep`."""
        self.swept += 1
        return self._storage.sweep(older_than)

    def check(self) -> TransferError | None:
        """See `Storage.check`."""
        return self._storage.check()
