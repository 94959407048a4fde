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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from shared.errors import TargetBlocked
from shared.storage.os_errors import NotAFolder

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@contextmanager
def open_folder(root: int, names: Sequence[str], *, create: bool) -> Iterator[int]:
    """Open a folder below `root` for the time of a `with` block.

    Args:
        root: descriptor of the storage's folder.
        names: of the folders on the way, each without a slash.
        create: make what is missing.

    Yields:
        The folder's descriptor.

    Raises:
        NotAFolder: one of the names is a file or a link.
        OSError: anything else that the system refuses; FileNotFoundError without `create`.
    """
    descriptor = os.dup(root)
    try:
        for depth, name in enumerate(names):
            below = _enter(descriptor, name, "/".join(names[: depth + 1]), create=create)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def check_target(folder: int, name: str, shown: str) -> None:
    """Check that `name` is free or a plain file, which may be replaced.

    Args:
        folder: its folder's descriptor.
        name: in that folder.
        shown: its whole name, for the error.

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


def _enter(folder: int, name: str, shown: str, *, create: bool) -> int:
    try:
        return _open(folder, name, shown)
    except FileNotFoundError:
        if not create:
            raise
    with suppress(FileExistsError):  # another worker was quicker
        os.mkdir(name.encode(), 0o755, dir_fd=folder)
    return _open(folder, name, shown)


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
