"""The account that nginx and the functions run as if root starts them, and its storage.

Root gives them a less privileged account, named by `RUN_AS`. What that account cannot reach, such
as a project below /root, it may read by one capability, see `local.servers.launch`.
"""

from __future__ import annotations

import os
import pwd
import stat
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.environment import LocalEnvironment
from local.servers.account import CAP_NET_BIND_SERVICE, Account, Need, first_of, reading
from local.servers.errors import NoAccount
from local.servers.process import Command
from shared.errors import SettingError
from shared.storage.parts import FOLDER

SETTING = "RUN_AS"
USUAL = ("www-data", "nobody")
"""Debian's account of web servers; every Linux has the other. Not postgres: on a machine with a
PostgreSQL of its own that account may do everything there."""

WAY_OUT = f"set {SETTING}=root to run everything as root"
PROJECT = Path(__file__).parents[1]
OF_A_HOME = (".aws", ".postgresql", ".pgpass")
"""Files of our own home that the AWS SDK and libpq read."""

OF_THE_SDK = (
    "AWS_CA_BUNDLE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)
UNPRIVILEGED_PORTS = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


def account_of_functions(environment: LocalEnvironment, port: int) -> Account | None:
    """Return the account of the functions, and make it the owner of the storage.

    Args:
        environment: the user's configuration; the storage's folder exists.
        port: the TCP port that they listen on.

    Returns:
        The account, or None to run them as ourselves: we are not root, or `RUN_AS` is root.

    Raises:
        SettingError: `RUN_AS` is not an account, or the storage's owner cannot be changed.
        NoAccount: no other account can run here.
    """
    if os.geteuid() != 0:
        return None
    chosen = _chosen(environment)
    if chosen is None:
        return None
    uid, gid = chosen
    _hand_over(environment.storage, uid, gid)
    _give_metrics(environment.metrics, uid, gid)
    trees = [PROJECT / name for name in ("functions", "local", "shared")]
    trees.append(Path(sysconfig.get_path("purelib")))
    paths = [
        Path(sys.executable),
        PROJECT / "template.yaml",
        environment.directory,
        environment.storage,
        environment.metrics,
        *(Path(entry) for entry in sys.path if entry and Path(entry).exists()),
    ]
    home = environment.given.get("HOME")
    theirs = [environment.given.get(name, "") for name in OF_THE_SDK]
    theirs += [str(Path(home, name)) for name in OF_A_HOME if home]
    trees += [Path(name) for name in theirs if name and Path(name).exists()]
    account = Account(uid, gid, _needed(uid, gid, paths, trees, port))
    _prove(account, environment.given)
    return account


def account_of_nginx(environment: LocalEnvironment, functions: Account | None) -> Account | None:
    """Return the same account with the capabilities that nginx needs for its files and its port.

    Raises:
        NoAccount: it cannot read them.
    """
    if functions is None:
        return None
    uid, gid = functions.uid, functions.gid
    paths = [environment.data_dir, environment.storage, *(environment.tls or ())]
    return Account(uid, gid, _needed(uid, gid, paths, (), environment.port))


def _chosen(environment: LocalEnvironment) -> tuple[int, int] | None:
    """Return user and group id, or None to stay root."""
    name = environment.given.get(SETTING, "").strip()
    owner = environment.storage.stat()
    if not name and owner.st_uid != 0:
        return owner.st_uid, owner.st_gid  # it may have no account entry, and needs none
    try:
        entry = pwd.getpwnam(name) if name else first_of(*USUAL)
    except KeyError:
        about = f"there is no account {name or ' or '.join(USUAL)}; {WAY_OUT}"
        raise SettingError(f"{SETTING}: {about}") from None
    return (entry.pw_uid, entry.pw_gid) if entry.pw_uid else None


def _needed(
    uid: int, gid: int, paths: Sequence[Path], trees: Sequence[Path], port: int
) -> tuple[int, ...]:
    bound = (CAP_NET_BIND_SERVICE,) if port < _first_unprivileged_port() else ()
    return (*reading(uid, gid, Need("the service", WAY_OUT, paths, trees)), *bound)


def _first_unprivileged_port() -> int:
    try:
        return int(UNPRIVILEGED_PORTS.read_text())
    except OSError:
        return 1024


def _prove(account: Account, variables: Mapping[str, str]) -> None:
    """Import the project as that account; the kernel or the container may not allow it.

    Raises:
        NoAccount: it cannot; the text has the last line of its output.
    """
    command = (sys.executable, "-c", "import local.cli")
    given = {**variables, "PYTHONPATH": os.pathsep.join([str(PROJECT), *filter(None, sys.path)])}
    done = Command(command, given, account).run()
    if done.returncode != 0:
        lines = done.stdout.strip().splitlines() or [f"exit code {done.returncode}"]
        raise NoAccount(f"user id {account.uid} cannot run the service: {lines[-1]}; {WAY_OUT}")


def _hand_over(storage: Path, uid: int, gid: int) -> None:
    """Make an account the owner of root's files in the storage, which an earlier version wrote.

    The folder itself comes last, so that the next start completes one that was interrupted.
    Only a folder that this service has used, or an empty one, is changed.

    Raises:
        SettingError: it belongs to root, and must not or cannot be changed.
    """
    if storage.stat().st_uid != 0:
        return
    if any(storage.iterdir()) and not (storage / FOLDER).exists():
        raise SettingError(
            f"STORAGE_PATH: {storage} belongs to root and contains other files; change its"
            f" owner to the account that should write to it, or {WAY_OUT}"
        )
    try:
        own(storage, uid, gid)
    except OSError as error:
        raise SettingError(
            f"STORAGE_PATH: {storage} belongs to root, and its owner cannot be changed"
            f" ({error.strerror}); {WAY_OUT}"
        ) from error


def _give_metrics(folder: Path, uid: int, gid: int) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        own(folder, uid, gid)
    except OSError as error:
        raise SettingError(f"DATA_DIR: {folder}: {error.strerror}; {WAY_OUT}") from error


def own(folder: Path, uid: int, gid: int) -> None:
    """Make an account the owner of a folder and of all files and folders of root below it.

    From the leaves up, so that the account cannot replace what is still to be changed; no link is
    followed.

    Raises:
        OSError: the file system or the container does not allow it.
    """
    for _, folders, files, descriptor in os.fwalk(folder, topdown=False, onerror=_raise):
        for name in (*files, *folders):
            status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            if status.st_uid == 0 and stat.S_IFMT(status.st_mode) in {stat.S_IFREG, stat.S_IFDIR}:
                group = -1 if status.st_gid else gid  # any other than root's was chosen
                os.chown(name, uid, group, dir_fd=descriptor, follow_symlinks=False)
    status = folder.stat()
    if status.st_uid == 0:
        os.chown(folder, uid, -1 if status.st_gid else gid)


def _raise(error: OSError) -> None:
    raise error
