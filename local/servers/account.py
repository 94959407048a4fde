"""Which account a server runs as: our own, or for root an existing unprivileged one."""

from __future__ import annotations

import os
import pwd
import stat
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.servers.errors import ForeignData, NoAccount

# Numbers of linux/capability.h. The first may only read and pass folders, and is tried first;
# a container of Docker is given the second by default and not the first. A program that its
# permissions forbid to execute takes the second.
CAP_DAC_READ_SEARCH = 2
CAP_DAC_OVERRIDE = 1
CAP_SETPCAP = 8
"""What it takes to hand a capability on to another account, see `local.servers.launch`."""

CAP_NET_BIND_SERVICE = 10
"""For TCP ports below 1024."""

WAY_OUT = "run as an ordinary user, or set DATABASE_URL"


@dataclass(frozen=True, slots=True)
class Account:
    """An account, and the capabilities that it needs to reach its files and ports.

    Attributes:
        uid: user id.
        gid: group id.
        capabilities: numbers of those to keep; none where permissions suffice.
    """

    uid: int
    gid: int
    capabilities: tuple[int, ...] = ()


def unprivileged(
    data: Path, programs: Iterable[Path] = (), trees: Iterable[Path] = ()
) -> Account | None:
    """Choose the account for a server that refuses to run as root.

    Args:
        data: the server's data folder. If it exists its owner is the account, so that a folder
            made by one account is never written by another.
        programs: what that account must be able to execute.
        trees: folders that it must be able to read with all that is in them.

    Returns:
        The account to change to, or None to run as ourselves.

    Raises:
        ForeignData: the folder is another account's and we are not root.
        NoAccount: we are root, and cannot act as an ordinary account here.
    """
    status = data.stat() if data.exists() else None
    if os.geteuid() != 0:
        if status and status.st_uid != os.geteuid():
            raise ForeignData(f"{data} is owned by user id {status.st_uid}")
        return None
    if status and status.st_uid != 0:
        uid, gid = status.st_uid, status.st_gid  # it may have no account entry, and needs none
    else:
        try:
            entry = first_of("postgres", "nobody")
        except KeyError:
            raise NoAccount(
                f"root needs an account postgres or nobody to start PostgreSQL as; {WAY_OUT}"
            ) from None
        uid, gid = entry.pw_uid, entry.pw_gid
    programs = tuple(programs)
    need = Need("PostgreSQL", WAY_OUT, (data.parent, *programs), tuple(trees), programs)
    return Account(uid, gid, reading(uid, gid, need))


@dataclass(frozen=True, slots=True)
class Need:
    """What an account must be able to read.

    Attributes:
        name: what is to run, for people.
        way_out: what else a person can do.
        paths: files to be read, and folders to be entered.
        trees: folders to be read with all that is in them.
        programs: files to be executed.
    """

    name: str
    way_out: str
    paths: Sequence[Path] = ()
    trees: Sequence[Path] = ()
    programs: Sequence[Path] = ()


def reading(uid: int, gid: int, need: Need) -> tuple[int, ...]:
    """Return the capability that an account needs to read files, and none if permissions suffice.

    Raises:
        NoAccount: we have no such capability to pass on.
    """
    executable = all(_permits(uid, gid, program, stat.S_IXOTH) for program in need.programs)
    reachable = all(_reaches(uid, gid, path) for path in need.paths)
    if executable and reachable and all(_reads_all(uid, gid, tree) for tree in need.trees):
        return ()
    tried = (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE) if executable else (CAP_DAC_OVERRIDE,)
    return (_passing_capability(tried, need),)


def first_of(*names: str) -> pwd.struct_passwd:
    """Return the first account of these names that exists.

    Raises:
        KeyError: none does.
    """
    for name in names:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise KeyError(names)


def _reads_all(uid: int, gid: int, path: Path) -> bool:
    """Return whether permissions let an account read `path` and everything in it.

    An installation made under a strict umask may have programs that anyone can execute beside
    libraries that only its owner can read.
    """
    if not _reaches(uid, gid, path):
        return False
    return all(
        _permits(uid, gid, Path(folder, name), stat.S_IROTH | (stat.S_IXOTH if inner else 0))
        for folder, folders, files in os.walk(path)
        for inner, names in ((True, folders), (False, files))
        for name in names
    )


def _reaches(uid: int, gid: int, path: Path) -> bool:
    """Return whether permissions let an account without privileges reach and read `path`."""
    path = path.resolve()
    wanted = stat.S_IROTH | (stat.S_IXOTH if path.is_dir() else 0)
    return _permits(uid, gid, path, wanted) and all(
        _permits(uid, gid, parent, stat.S_IXOTH) for parent in path.parents
    )


def _permits(uid: int, gid: int, path: Path, wanted: int) -> bool:
    """Return whether the permissions of `path` alone give an account what is wanted.

    Args:
        uid: the account's user id.
        gid: its only group.
        path: file or folder.
        wanted: bits as others have them, such as `stat.S_IXOTH`.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return True  # a dangling link is nothing to be read
    shift = 6 if status.st_uid == uid else 3 if status.st_gid == gid else 0
    return (status.st_mode >> shift) & wanted == wanted


def _passing_capability(tried: Iterable[int], need: Need) -> int:
    if sys.platform == "linux":
        permitted = next(
            int(line.split()[1], 16)
            for line in Path("/proc/self/status").read_text().splitlines()
            if line.startswith("CapPrm:")
        )
        usable = [number for number in tried if permitted >> number & 1]
        if usable and not permitted >> CAP_SETPCAP & 1:
            raise NoAccount(
                f"{need.name} does not run as root, and without CAP_SETPCAP no other account can "
                f"be let into this folder; {need.way_out}"
            )
        if usable:
            return usable[0]
    raise NoAccount(
        f"{need.name} does not run as root, and no other account can reach this folder;"
        f" {need.way_out}"
    )
