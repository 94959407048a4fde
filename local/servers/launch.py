"""Becomes another program as another account, bound to the life of the process that asked.

Run as a file of its own, `python -I -S launch.py …`: between fork and exec only code that is
safe there may run, and `subprocess`'s own hook for that is not safe beside threads.

PostgreSQL refuses to run as root, and an ordinary account cannot reach a folder below /root. A
child of root therefore takes an unprivileged account and keeps the one capability that lets it
pass folders, as capabilities(7) describes for ambient capabilities; no folder's permissions are
changed. nginx and the functions are started in the same way, with one more for ports below 1024.

initdb and postgres ask access(2) for their own programs and files. For a real user id other than
0 it leaves every capability aside, ambient ones too, unless SECBIT_NO_SETUID_FIXUP is set. With
that bit the kernel no longer takes capabilities away when the user id changes, so it is done
here: all others leave every set, the bounding set included. The bit is locked, and no
program started later can gain privileges.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import sys
from collections.abc import Sequence

# Numbers of linux/prctl.h, linux/securebits.h and linux/capability.h.
PR_SET_PDEATHSIG = 1
PR_CAPBSET_READ = 23
PR_CAPBSET_DROP = 24
PR_GET_SECUREBITS = 27
PR_SET_SECUREBITS = 28
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
SECBIT_NO_SETUID_FIXUP_LOCKED = 1 << 3
CAPABILITY_VERSION_3 = 0x20080522
CANNOT_EXECUTE = 126  # the exit code that shells use for it


def _prctl(*arguments: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    result: int = libc.prctl(*(ctypes.c_ulong(a) for a in (*arguments, 0, 0, 0, 0)[:5]))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl {arguments[0]}: {os.strerror(number)}")
    return result


def _keep_through_the_change(capabilities: Sequence[int]) -> None:
    """Prepare a change of user id that leaves the capabilities alone; takes CAP_SETPCAP."""
    bits = _prctl(PR_GET_SECUREBITS) | SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED
    _prctl(PR_SET_SECUREBITS, bits)
    number = 0
    while True:
        try:
            bounded = _prctl(PR_CAPBSET_READ, number)
        except OSError:  # EINVAL: beyond the last one that this kernel knows
            return
        if bounded and number not in capabilities:
            _prctl(PR_CAPBSET_DROP, number)
        number += 1


def _hold_only(capabilities: Sequence[int]) -> None:
    """Make these the only capabilities, and ones that survive exec."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; low words, then high
    for capability in capabilities:
        for offset in range(3):
            data[3 * (capability // 32) + offset] |= 1 << capability % 32
    if ctypes.CDLL(None, use_errno=True).capset(header, data) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"capset: {os.strerror(number)}")
    for capability in capabilities:
        _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)


def become(uid: int, gid: int, capabilities: Sequence[int] = ()) -> None:
    """Take an account for good.

    Args:
        uid: user id.
        gid: group id, the only group.
        capabilities: numbers of those to keep.

    Raises:
        OSError: the kernel or the container does not allow it.
    """
    if capabilities:
        _keep_through_the_change(capabilities)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if capabilities:
        _hold_only(capabilities)
    if sys.platform == "linux":
        _prctl(PR_SET_NO_NEW_PRIVS, 1)


def main(arguments: list[str]) -> None:
    """Parse the command line, take the account that it names, and execute the rest of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int)
    parser.add_argument("--capability", type=int, action="append", default=[])
    parser.add_argument("--parent", type=int, help="end with this process")
    parser.add_argument("--signal", type=int, help="by this signal")
    parser.add_argument("command", nargs="+")
    given = parser.parse_args(arguments)
    try:
        if given.uid is not None:
            become(given.uid, given.gid, given.capability)
        if given.parent is not None and sys.platform == "linux":
            # After the account: the kernel clears it whenever credentials change (prctl(2)).
            _prctl(PR_SET_PDEATHSIG, given.signal)
            if os.getppid() != given.parent:
                sys.exit("the parent is gone")
        os.execv(given.command[0], given.command)  # becoming it is the purpose  # noqa: S606
    except OSError as error:
        sys.stderr.write(f"cannot run {given.command[0]}: {error}\n")
        sys.exit(CANNOT_EXECUTE)


if __name__ == "__main__":
    main(sys.argv[1:])
