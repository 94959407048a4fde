"""What the operating system says about a file, as the errors of the service."""

from __future__ import annotations

import errno
import os

from shared.errors import StorageFull, StorageUnavailable, TransferError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def from_os_error(error: OSError) -> TransferError:
    """Translates a failure to write the storage.

    =====================================  ====================
    errno                                  answer
    =====================================  ====================
    ENOSPC, EDQUOT (quota), EFBIG          `StorageFull`
    anything else: EACCES, EROFS, EIO,     `StorageUnavailable`
    ENOENT, ESTALE, EMFILE, …
    =====================================  ====================

    Args:
        error: what a system call raised.

    Returns:
        The error to raise from it; its text is the system's own, without a path.
    """
    about = os.strerror(error.errno).lower() if error.errno else "unknown failure"
    return StorageFull(about) if error.errno in _FULL else StorageUnavailable(about)


def as_transfer_error(error: OSError | TransferError) -> TransferError:
    """Return an error of the system as one of the service, and any other as it is."""
    return from_os_error(error) if isinstance(error, OSError) else error
