"""What a storage's file system does to names: it may fold, refuse or change them.

ext4, XFS and their like keep every name as it is. exFAT, NTFS, SMB, APFS and folders with
casefold take `IMG.JPG` and `img.jpg` for one file, others `é` in its two forms of Unicode; some
refuse `:` or a name that is long. There, and only there, every name is tried beforehand, and the
one that a file already has is read from its folder: an object whose name is another's fails, and
no other name's file is replaced.
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from unicodedata import normalize

from shared.errors import NameRefused
from shared.storage.object_key import fold

_SAME = {"a": ("A",), "\u00e9": ("\u00c9", "e\u0301")}
"""Names, and others that a file system may take for the same: in the other case, in the other form
of Unicode."""

_ODD = 'x:?*"<>|\u0378\U0001f600'
_ODD += "y" * (253 - len(_ODD.encode())) + " ."
"""A name of 255 bytes with all that file systems are known to refuse or change: the characters
that Windows reserves, a code point without a meaning, one beyond 16 bits, a space and a full stop
at the end."""

_REFUSALS = frozenset(
    {
        errno.EINVAL,
        errno.ENOENT,  # exfat-fuse
        errno.EILSEQ,
        errno.ENAMETOOLONG,
        errno.EACCES,  # Windows, of CON and the like
        errno.EPERM,
        errno.ENOTSUP,
    }
)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_SCRATCH = re.compile(r"names-[0-9a-f]{16}")
_KEPT = 10_000  # names that are known to be kept; with 255 bytes each, 3 MB

_GET_FLAGS = 0x8000_6601 | array.array("L").itemsize << 16
_CASEFOLD = 0x4000_0000
"""FS_IOC_GETFLAGS and FS_CASEFOLD_FL of linux/fs.h."""


def is_scratch(name: str) -> bool:
    """Return whether a folder is one that names are tried in; a process that died left it."""
    return _SCRATCH.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Spelling:
    """How the names of a storage's folders are told apart.

    Attributes:
        folds: two names may be one file, in every folder.
    """

    folds: bool = False

    def check(self, folder: int, name: str, shown: str) -> None:
        """Check that what a name leads to has this very name.

        Args:
            folder: descriptor of its folder.
            name: of a file or folder that exists there.
            shown: its whole name, for the error.

        Raises:
            NameRefused: it is there under another name, which the file system does not tell from
                this one.
            OSError: the system cannot tell.
        """
        if not (self.folds or _has_casefold(folder)) or _lists(folder, name):
            return
        with suppress(FileNotFoundError):
            os.stat(name.encode(), dir_fd=folder, follow_symlinks=False)
            there = next((n for n in _listed(folder) if fold(n) == fold(name)), None)
            known = None if there is None else shown[: -len(name)] + there
            raise NameRefused(
                f"it does not tell {tell_apart(shown, known)}, which is there already"
            )


def tell_apart(name: str, known: str | None) -> str:
    """Return two names for people, with their code points where they look alike."""
    if known is None:
        return f"{name!r} from another spelling of it"
    alike = normalize("NFC", name) == normalize("NFC", known)
    return f"{name!a} from {known!a}" if alike else f"{name!r} from {known!r}"


class Names:
    """The names that one file system keeps as they are, each tried once.

    Args:
        spelling: how they are told apart.
        strict: whether names must be tried.
    """

    def __init__(self, spelling: Spelling, *, strict: bool) -> None:
        self.spelling = spelling
        self.strict = strict
        self._kept: set[str] = set()

    @classmethod
    def probe(cls, incoming: int) -> Names:
        """Find out what the file system of a folder does to names.

        Args:
            incoming: descriptor of the folder of unfinished files.

        Raises:
            OSError: nothing can be tried, because the folder cannot be written.
        """
        with _scratch(incoming) as folder:
            refuses = _refusal(folder, _ODD) is not None
            for name in _SAME:
                try:
                    _create(folder, name)
                except OSError as error:
                    if name.isascii() or error.errno not in _REFUSALS:
                        raise
                    refuses = True
            changes = not all(_lists(folder, name) for name in _SAME)
            folds = any(_exists(folder, name) for names in _SAME.values() for name in names)
        return cls(Spelling(folds), strict=folds or refuses or changes)

    def refused(self, incoming: int, keys: Iterable[str]) -> dict[str, NameRefused]:
        """Return by key why the file system cannot keep it.

        Args:
            incoming: descriptor of the folder of unfinished files, where names are tried.
            keys: safe ones.

        Raises:
            OSError: the folder cannot be written.
        """
        found: dict[str, NameRefused] = {}
        if not self.strict:
            return found
        untried = {key for key in keys if not self._kept.issuperset(key.split("/"))}
        if not untried:
            return found
        if len(self._kept) > _KEPT:
            self._kept.clear()
        with _scratch(incoming) as folder:
            for key in untried:
                for segment in key.split("/"):
                    reason = None if segment in self._kept else _refusal(folder, segment)
                    if reason is not None:
                        found[key] = NameRefused(f"{segment!r} {reason}")
                        break
                    self._kept.add(segment)
        return found


@contextmanager
def _scratch(incoming: int) -> Iterator[int]:
    """Make an empty folder for the time of a `with` block, and yield its descriptor."""
    name = f"names-{secrets.token_hex(8)}"
    os.mkdir(name, 0o700, dir_fd=incoming)
    try:
        folder = os.open(name, _FOLDER, dir_fd=incoming)
        try:
            yield folder
        finally:
            os.close(folder)
    finally:
        remove_scratch(incoming, name)


def remove_scratch(incoming: int, name: str) -> None:
    """Remove a folder that names were tried in, as far as that is possible."""
    with suppress(OSError):
        folder = os.open(name, _FOLDER, dir_fd=incoming)
        try:
            for left in list(os.scandir(folder)):
                with suppress(OSError):
                    os.unlink(left.name, dir_fd=folder)
        finally:
            os.close(folder)
        os.rmdir(name, dir_fd=incoming)


def _refusal(folder: int, name: str) -> str | None:
    """Return why the file system does not keep a name as it is.

    Raises:
        OSError: no file can be made at all.
    """
    try:
        _create(folder, name)
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        # ENOENT or EACCES may be the storage's trouble: then a plain name meets the same.
        _create(folder, "plain")
        os.unlink("plain", dir_fd=folder)
        return f"is refused ({os.strerror(error.errno or 0).lower()})"
    shown = None if _lists(folder, name) else next(iter(_listed(folder)), "nothing")
    os.unlink(name.encode(), dir_fd=folder)
    return None if shown is None else f"would be kept as {shown!r}"


def _create(folder: int, name: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    os.close(os.open(name.encode(), flags, 0o600, dir_fd=folder))


def _exists(folder: int, name: str) -> bool:
    try:
        os.stat(name.encode(), dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        return False
    return True


def _lists(folder: int, name: str) -> bool:
    return os.fsdecode(name.encode()) in _entries(folder)


def _listed(folder: int) -> list[str]:
    return [os.fsencode(name).decode(errors="replace") for name in _entries(folder)]


def _entries(folder: int) -> list[str]:
    """Return the names in a folder, opened anew: SMB shows an open one as it was at first."""
    fresh = os.open(".", _FOLDER, dir_fd=folder)
    try:
        return [entry.name for entry in os.scandir(fresh)]
    finally:
        os.close(fresh)


def _has_casefold(folder: int) -> bool:
    """Return whether ext4, F2FS or tmpfs fold case in this very folder (chattr +F)."""
    flags = array.array("L", [0])
    try:
        fcntl.ioctl(folder, _GET_FLAGS, flags)
    except OSError:
        return False
    return bool(flags[0] & _CASEFOLD)
