"""Which account a server runs as: our own, or for root an existing unprivileged one."""

from __future__ import annotations

import os
import pwd
import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from local.servers.errors import ForeignData, NoAccount

# Numbers of linux/capability.h. The first may only read and pass folders, and is tried first;
# a container of Docker is given the second by default and not the first.
CAP_DAC_READ_SEARCH = 2
CAP_DAC_OVERRIDE = 1

WAY_OUT = "run as an ordinary user, or set DATABASE_URL"


@dataclass(frozen=True, slots=True)
class Account:
    """An account, and the capability that it needs to reach its files.

    Attributes:
        uid: user id.
        gid: group id.
        capability: number of the capability to keep, or None where permissions suffice.
    """

    uid: int
    gid: int
    capability: int | None = None


def unprivileged(data: Path, needed: Iterable[Path]) -> Account | None:
    """Chooses the account for a server that refuses to run as root.

    Args:
        data: the server's data folder. If it exists its owner is the account, so that a folder
            made by one account is never written by another.
        needed: programs and folders which that account must be able to read.

    Returns:
        The account to change to, or None to run as ourselves.

    Raises:
        ForeignData: the folder is another account's and we are not root.
        NoAccount: we are root, and cannot act as an ordinary account here.
    """
    owner = data.stat().st_uid if data.exists() else None
    if os.geteuid() != 0:
        if owner not in {None, os.geteuid()}:
            raise ForeignData(f"{data} is owned by user id {owner}")
        return None
    try:
        entry = pwd.getpwuid(owner) if owner else _first_of("postgres", "nobody")
    except KeyError:
        raise NoAccount(
            f"there is no postgres and no nobody for root to start PostgreSQL as; {WAY_OUT}"
        ) from None
    if all(_reaches(entry.pw_uid, entry.pw_gid, path) for path in (data.parent, *needed)):
        return Account(entry.pw_uid, entry.pw_gid)
    return Account(entry.pw_uid, entry.pw_gid, _passing_capability())


def _first_of(*names: str) -> pwd.struct_passwd:
    for name in names:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise KeyError(names)


def _reaches(uid: int, gid: int, path: Path) -> bool:
    """Tells whether permissions let an account without privileges reach and read `path`."""
    path = path.resolve()
    for place, wanted in (
        (path, stat.S_IROTH | stat.S_IXOTH),
        *((p, stat.S_IXOTH) for p in path.parents),
    ):
        status = place.stat()
        shift = 6 if status.st_uid == uid else 3 if status.st_gid == gid else 0
        if (status.st_mode >> shift) & wanted != wanted:
            return False
    return True


def _passing_capability() -> int:
    if sys.platform == "linux":
        permitted = next(
            int(line.split()[1], 16)
            for line in Path("/proc/self/status").read_text().splitlines()
            if line.startswith("CapPrm:")
        )
        for capability in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE):
            if permitted & (1 << capability):
                return capability
    raise NoAccount(
        f"PostgreSQL does not run as root, and no other account can reach this folder; {WAY_OUT}"
    )
