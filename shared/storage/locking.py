"""The lock of a part: its holder alone writes it, and it ends with the process at the latest."""

from __future__ import annotations

import errno
import fcntl

_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL})
"""What flock(2) answers where the file system has no locks: NFS without lockd, Lustre by default,
some FUSE programs."""


def lock(descriptor: int) -> bool:
    """Take the lock of a file.

    Args:
        descriptor: open for writing, which NFS demands of a file that is to be locked.

    Returns:
        False where the file system has no locks.

    Raises:
        BlockingIOError: another process has it.
        OSError: the system refuses.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except PermissionError as error:  # what SMB says of a lock that another process has
        raise BlockingIOError(error.errno, error.strerror) from error
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return False
        raise
    return True
