"""The operating system's errors about files, as the errors of the service."""

from __future__ import annotations

import errno
import os

from shared.errors import NameRefused, StorageFull, StorageUnavailable, TargetBlocked, TransferError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


_REFUSED_NAME = frozenset({errno.EILSEQ, errno.ENAMETOOLONG, errno.EINVAL})
"""What file systems say of a name alone: not in their encoding, too long, with a character that
they reserve."""


class NotAFolder(OSError):
    """What a path goes through is no folder.

    Args:
        shown: the path up to it, as people read it.
        kind: what it is instead, such as "a symbolic link".
        link: whether it is a link: `errno` is ELOOP then, and ENOTDIR otherwise, on every system.
    """

    def __init__(self, shown: str, kind: str, *, link: bool) -> None:
        super().__init__(errno.ELOOP if link else errno.ENOTDIR, f"{shown!r} is {kind}")
        self.about = f"{shown!r} is {kind}, not a folder"


def from_os_error(error: OSError) -> TransferError:
    """Translate a failure to write the storage.

    =====================================  ====================
    error                                  result
    =====================================  ====================
    ENOSPC, EDQUOT (quota), EFBIG          `StorageFull`
    `NotAFolder`                           `TargetBlocked`
    anything else: EACCES, EROFS, EIO,     `StorageUnavailable`
    ENOENT, ESTALE, EMFILE, …
    =====================================  ====================

    Args:
        error: what a system call raised.

    Returns:
        The error to raise from it; its text is the system's own, without a path of the machine.
    """
    if isinstance(error, NotAFolder):
        return TargetBlocked(error.about)
    about = os.strerror(error.errno).lower() if error.errno else "unknown failure"
    return StorageFull(about) if error.errno in _FULL else StorageUnavailable(about)


def from_name_error(error: OSError | TransferError) -> TransferError:
    """Translate what came of a call that is given a name of an object, as `from_os_error` does.

    Args:
        error: EILSEQ, ENAMETOOLONG and EINVAL are `NameRefused`; an error of the service stays.
    """
    if isinstance(error, OSError) and error.errno in _REFUSED_NAME:
        return NameRefused(os.strerror(error.errno).lower())
    return as_transfer_error(error)


def as_transfer_error(error: OSError | TransferError) -> TransferError:
    """Return an error of the system as one of the service, and any other as it is."""
    return from_os_error(error) if isinstance(error, OSError) else error
