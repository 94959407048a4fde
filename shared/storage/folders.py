"""Folders below the storage, opened name by name so that no link leads out of it.

A path that is looked up as a whole could be bent by other users who may write to the storage:
each folder is opened relative to the one above it, without following a link.

Names go to the system as UTF-8 bytes: in a locale of another encoding Python would write others,
and none at all for a name that the encoding does not have.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from shared.errors import TargetBlocked
from shared.storage.os_errors import NotAFolder

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

Check = Callable[[int, str, str], None]
"""Called with the descriptor of a folder, a name in it, and the whole name for an error."""

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@contextmanager
def open_folder(
    root: int,
    names: Sequence[str],
    *,
    create: bool,
    mode: int | None = None,
    check: Check | None = None,
) -> Iterator[int]:
    """Open a folder below `root` for the time of a `with` block.

    Args:
        root: descriptor of the storage's folder.
        names: of the folders on the way, each without a slash.
        create: make what is missing.
        mode: permissions of a folder that is made; the umask and its parent decide where None.
        check: called for each folder on the way; what it raises is raised.

    Yields:
        The folder's descriptor.

    Raises:
        NotAFolder: one of the names is a file or a link.
        OSError: anything else that the system refuses; FileNotFoundError without `create`.
    """
    descriptor = os.dup(root)
    try:
        for depth, name in enumerate(names):
            shown = "/".join(names[: depth + 1])
            below = _enter(descriptor, name, shown, create=create, mode=mode)
            above, descriptor = descriptor, below
            try:
                if check is not None:
                    check(above, name, shown)
            finally:
                os.close(above)
        yield descriptor
    finally:
        os.close(descriptor)


def check_target(folder: int, name: str, shown: str, check: Check | None = None) -> None:
    """Check that `name` is free or a plain file, which may be replaced.

    Args:
        folder: its folder's descriptor.
        name: in that folder.
        shown: its whole name, for the error.
        check: called for a file that is there; what it raises is raised.

    Raises:
        TargetBlocked: it is something else.
        OSError: the system cannot tell.
    """
    try:
        mode = os.stat(name.encode(), dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise TargetBlocked(f"{shown!r} is {_kind(mode)}")
    if check is not None:
        check(folder, name, shown)


def _enter(folder: int, name: str, shown: str, *, create: bool, mode: int | None) -> int:
    try:
        return _open(folder, name, shown)
    except FileNotFoundError:
        if not create:
            raise
    made = False
    with suppress(FileExistsError):  # another worker was quicker
        os.mkdir(name.encode(), 0o777 if mode is None else mode, dir_fd=folder)
        made = True
    descriptor = _open(folder, name, shown)
    if made and mode is not None:
        set_mode(descriptor, mode)
    return descriptor


def set_mode(descriptor: int, mode: int) -> None:
    """Set permissions as they are, whatever the umask; a folder keeps its set-group-id bit.

    A file system without permissions (exFAT, SMB) refuses; the file is no worse for it.
    """
    with suppress(OSError):
        kept = os.fstat(descriptor).st_mode & stat.S_ISGID
        os.fchmod(descriptor, mode | kept)


def _open(folder: int, name: str, shown: str) -> int:
    try:
        return os.open(name.encode(), _FLAGS, dir_fd=folder)
    except OSError as error:
        # a link gives ELOOP on some systems and ENOTDIR on others
        if error.errno not in {errno.ENOTDIR, errno.ELOOP, errno.EMLINK}:
            raise
        mode = os.stat(name.encode(), dir_fd=folder, follow_symlinks=False).st_mode
        raise NotAFolder(shown, _kind(mode), link=stat.S_ISLNK(mode)) from error


def _kind(mode: int) -> str:
    return next((text for test, text in _KINDS if test(mode)), "a file")
