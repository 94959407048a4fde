"""What files a storage has: the sizes of named ones, and a walk over all in bounded memory.

It never writes. What cannot be looked at is an error, never a missing file.
"""

from __future__ import annotations

import errno
import heapq
import os
import stat
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from typing import NamedTuple
from unicodedata import normalize

from shared.errors import StorageUnavailable
from shared.storage.folders import open_folder
from shared.storage.object_key import RESERVED_SEGMENT
from shared.storage.os_errors import NotAFolder

NAMES_AT_ONCE = 100_000
"""Names of one folder that are held, sorted, in memory: some 20 MB. A larger folder is read once
for each so many."""

ASCII_NAMES = 3
"""Names in ASCII of which another spelling is looked for, in each folder of a portion."""

_NOT_FILES = frozenset({RESERVED_SEGMENT, "lost+found"})
"""Names in the storage's own folder: unfinished files, and what `mkfs` makes at a mount point."""

_MISSING = frozenset({errno.ENOENT, errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL})
"""No file has the name: there is none, or the file system keeps no such name."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class FileFound(NamedTuple):
    """What there is under a name; there are millions, and a dataclass takes longer.

    Attributes:
        size: bytes of the plain file; None where it is something else.
        detail: what is there instead, for people; empty where it is a plain file, or nothing.
    """

    size: int | None
    detail: str = ""


NOTHING = FileFound(None)


class Inventory:
    """Looks at the files of a storage.

    Args:
        root: the storage's folder.
    """

    def __init__(self, root: str) -> None:
        self._root = root

    def find(self, names: Collection[str]) -> Mapping[str, FileFound]:
        """Return what there is under some names; safe ones, see `object_key.check_key`.

        Where the file system takes two names for one, only the one that the file has counts.

        Raises:
            StorageUnavailable: it cannot be looked at.
        """
        folders: dict[str, list[str]] = defaultdict(list)
        for name in names:
            folder, _, last = name.rpartition("/")
            folders[folder].append(last)
        found: dict[str, FileFound] = {}
        with self._opened() as root:
            for folder, lasts in folders.items():
                with _explained(folder):
                    for last, there in _in_folder(root, folder, lasts).items():
                        found[f"{folder}/{last}" if folder else last] = there
        return found

    def walk(self, after: str = "", prefix: str = "") -> Iterator[str]:
        """Yield the names of all files, folder by folder, each folder's sorted by their bytes.

        Links, pipes and the like count as files, and none is followed. Bytes of a name that are no
        UTF-8 are lone surrogates. A file that comes or goes meanwhile may be left out.

        Args:
            after: begin behind this one, which an earlier walk has yielded.
            prefix: only names that begin so.

        Raises:
            StorageUnavailable: a folder cannot be read.
        """
        with self._opened() as root:
            yield from _walk(root, "", _bytes(after).split(b"/") if after else [], prefix)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        with _explained(""):
            root = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield root
        finally:
            os.close(root)


def _in_folder(root: int, folder: str, names: list[str]) -> dict[str, FileFound]:
    try:
        with open_folder(root, folder.split("/") if folder else [], create=False) as opened:
            found = {name: _status(opened, name) for name in names}
            there = [name for name, status in found.items() if status is not None]
            if any(_is_folded(opened, name, found[name]) for name in _telling(there)):
                with os.scandir(opened) as entries:
                    own = {_text(os.fsencode(entry.name)) for entry in entries}
                found = {name: status if name in own else None for name, status in found.items()}
            return {name: _described(status) for name, status in found.items()}
    except NotAFolder as error:
        return dict.fromkeys(names, FileFound(None, error.about))
    except FileNotFoundError:
        return dict.fromkeys(names, NOTHING)


def _status(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name.encode(), dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno in _MISSING:
            return None
        raise


def _telling(names: Collection[str]) -> list[str]:
    """Return those of a folder's names that tell whether it takes two spellings for one.

    A folder that ignores case does so for every name in ASCII, so a few of these tell it for all:
    not one alone, as it may be removed meanwhile. Another name may have more spellings.
    """
    telling = [name for name in names if not name.isascii()]
    cased = (name for name in names if name.isascii() and name.swapcase() != name)
    return telling + list(islice(cased, ASCII_NAMES))


def _is_folded(folder: int, name: str, known: os.stat_result | None) -> bool:
    """Return whether a file is found by another spelling of its name, too."""
    for other in {name.swapcase(), normalize("NFC", name), normalize("NFD", name)} - {name}:
        if known and len(other.encode()) <= len(name.encode()) + 64:
            status = _status(folder, other)
            if status is not None and os.path.samestat(status, known):
                return True
    return False


def _described(status: os.stat_result | None) -> FileFound:
    if status is None:
        return NOTHING
    if stat.S_ISREG(status.st_mode):
        return FileFound(status.st_size)
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFLNK: "a symbolic link"}
    kind = kinds.get(stat.S_IFMT(status.st_mode), "no plain file")
    return FileFound(None, f"there is {kind} in its place")


def _walk(folder: int, above: str, after: list[bytes], prefix: str) -> Iterator[str]:
    """Yield the files below an open folder.

    Args:
        folder: its descriptor.
        above: its name with a slash at the end, empty for the storage's own.
        after: segments of the name to begin behind; none to begin at the beginning.
        prefix: as in `Inventory.walk`.
    """
    low = after[0] if after else b""
    including = len(after) > 1  # the folder in which that file was
    while True:
        chunk = _sorted_names(folder, above, low, including=including)
        for name, is_folder in chunk:
            shown = above + _text(name)
            if shown in _NOT_FILES:
                continue
            if not is_folder:
                if shown.startswith(prefix):
                    yield shown
                continue
            below = f"{shown}/"
            if not (below.startswith(prefix) or prefix.startswith(below)):
                continue
            rest = after[1:] if including and name == low else []
            opened = _open(folder, name, shown)
            if opened is None:
                continue
            try:
                yield from _walk(opened, below, rest, prefix)
            finally:
                os.close(opened)
        if len(chunk) < NAMES_AT_ONCE:
            return
        low, including, after = chunk[-1][0], False, []


def _open(folder: int, name: bytes, shown: str) -> int | None:
    """Open a folder that was there a moment ago; None where it is not any more."""
    with _explained(shown):
        try:
            return os.open(name, _FOLDER, dir_fd=folder)
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
                return None
            raise


def _sorted_names(
    folder: int, above: str, low: bytes, *, including: bool
) -> list[tuple[bytes, bool]]:
    """Return the first names of a folder from one on, and whether each is a folder."""
    # A folder that was removed meanwhile has no names.
    with _explained(above.rstrip("/")), suppress(FileNotFoundError), os.scandir(folder) as entries:
        wanted = (
            (name, entry.is_dir(follow_symlinks=False))
            for entry in entries
            if (name := os.fsencode(entry.name)) > low or (including and name == low)
        )
        return heapq.nsmallest(NAMES_AT_ONCE, wanted)
    return []


@contextmanager
def _explained(shown: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = f"{shown!r}: " if shown else ""
        raise StorageUnavailable(f"{where}{os.strerror(error.errno or 0).lower()}") from error


def _bytes(name: str) -> bytes:
    return name.encode(errors="surrogateescape")


def _text(name: bytes) -> str:
    return name.decode(errors="surrogateescape")
