from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from local.servers.errors import ForeignData, NotReady, PortInUse, ProgramMissing
from local.servers.postgres import PostgresServer, embedded_binaries, native_binaries
from local.servers.running import Running
from tests.helpers.missing import missing
from tests.helpers.paths import ROOT
from tests.helpers.servers import execute, free_port
from tests.helpers.waiting import until

StartServer = Callable[[PostgresServer], PostgresServer]


# What a container of Docker may do by default:
# https://docs.docker.com/engine/containers/run/#runtime-privilege-and-linux-capabilities
DOCKER_CAPABILITIES = (
    "-all,+audit_write,+chown,+dac_override,+fowner,+fsetid,+kill,+mknod,+net_bind_service,"
    "+net_raw,+setfcap,+setgid,+setpcap,+setuid,+sys_chroot"
)
SCRIPT = """
import pathlib, sys
from local.servers.postgres import PostgresServer, embedded_binaries
from shared.errors import ServiceError
server = PostgresServer(pathlib.Path(sys.argv[1]), int(sys.argv[2]), embedded_binaries())
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

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="is about root")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="is about Linux")


@pytest.fixture(params=[embedded_binaries, native_binaries])
def binaries(request: pytest.FixtureRequest) -> Path:
    try:
        folder = request.param()
        assert isinstance(folder, Path)
    except ProgramMissing as error:
        missing(error.about)
        raise
    return folder


@pytest.fixture
def server(tmp_path: Path, start_server: StartServer) -> PostgresServer:
    return start_server(PostgresServer(tmp_path / "data", free_port(), embedded_binaries()))


def value(url: str, query: str) -> object:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        (found,) = cursor.fetchone() or (None,)
        return found


def script(data: Path, *before: str, port: int | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*before, sys.executable, "-c", SCRIPT, str(data), str(port or free_port())],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_data_survives_a_restart(tmp_path: Path, start_server: StartServer, binaries: Path) -> None:
    server = start_server(PostgresServer(tmp_path, free_port(), binaries))
    execute(server.url, "CREATE TABLE kept AS SELECT 'Ærø' AS name")
    server.stop()
    assert server.pid is None
    start_server(server)
    assert value(server.url, "SELECT lower(name) FROM kept") == "ærø"
    assert value(server.url, "SHOW server_encoding") == "UTF8"


def test_data_survives_a_kill(server: PostgresServer, start_server: StartServer) -> None:
    execute(server.url, "CREATE TABLE kept AS SELECT 1")
    os.kill(server.pid or 0, signal.SIGKILL)
    until(lambda: server.pid is None)
    start_server(server)
    assert value(server.url, "SELECT count(*) FROM kept") == 1


def test_a_lock_whose_number_another_process_has_is_no_hindrance(
    server: PostgresServer, tmp_path: Path, start_server: StartServer
) -> None:
    lock = tmp_path / "data" / "postgres" / "postmaster.pid"
    content = lock.read_text().split("\n")
    os.kill(server.pid or 0, signal.SIGKILL)
    until(lambda: server.pid is None)
    with subprocess.Popen(["sleep", "60"], user=lock.stat().st_uid) as another:
        lock.write_text("\n".join([str(another.pid), *content[1:]]))
        start_server(server)
        assert value(server.url, "SELECT 1") == 1
        another.kill()


def test_it_wants_its_password(server: PostgresServer) -> None:
    wrong = server.url.replace(server.url.split(":")[2].partition("@")[0], "wrong")
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(wrong)


def test_only_the_owner_can_read_its_password(server: PostgresServer, tmp_path: Path) -> None:
    assert server.pid
    assert (tmp_path / "data" / "postgres.password").stat().st_mode & 0o777 == 0o600


def test_no_folder_above_its_data_changes(tmp_path: Path, start_server: StartServer) -> None:
    tmp_path.chmod(0o700)
    folders = [tmp_path, *tmp_path.parents, *embedded_binaries().parents]
    before = [(path.stat().st_mode, path.stat().st_uid) for path in folders]
    start_server(PostgresServer(tmp_path / "data", free_port(), embedded_binaries()))
    assert [(path.stat().st_mode, path.stat().st_uid) for path in folders] == before


@as_root
def test_for_root_it_runs_as_another_account(server: PostgresServer) -> None:
    assert Path(f"/proc/{server.pid}").stat().st_uid != 0


@as_root
@on_linux
def test_it_runs_with_what_a_container_may_do(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with script(tmp_path, "setpriv", f"--bounding-set={DOCKER_CAPABILITIES}") as starter:
        assert starter.stdout
        assert starter.stdin
        assert starter.stdout.readline().strip().isdecimal()
        starter.stdin.close()
    assert starter.returncode == 0


@as_root
@on_linux
@pytest.mark.parametrize("lost", ["setuid", "chown"])
def test_where_root_may_not_change_account_one_line_says_what_to_do(
    tmp_path: Path, lost: str
) -> None:
    with script(tmp_path, "setpriv", f"--bounding-set=-{lost}") as starter:
        said, _ = starter.communicate(timeout=120)
    assert starter.returncode == 1
    assert said.count("\n") == 1
    assert "run as an ordinary user, or set DATABASE_URL" in said


@on_linux
def test_it_ends_when_its_starter_is_killed(tmp_path: Path) -> None:
    with script(tmp_path) as starter:
        assert starter.stdout
        running = Running.of(int(starter.stdout.readline()))
        starter.kill()
    assert running
    until(lambda: not running.alive)


@on_linux
def test_it_starts_again_at_once_after_its_starter_was_killed(tmp_path: Path) -> None:
    port = free_port()
    for _ in range(2):
        with script(tmp_path, port=port) as starter:
            assert starter.stdout
            assert starter.stdout.readline().strip().isdecimal()
            starter.kill()
    with script(tmp_path, port=port) as starter:
        said, _ = starter.communicate(timeout=120)
    assert said.strip().isdecimal()
    assert starter.returncode == 0


def test_a_second_starter_is_told_that_it_runs(server: PostgresServer, tmp_path: Path) -> None:
    with script(tmp_path / "data") as starter:
        said, _ = starter.communicate(timeout=120)
    assert starter.returncode == 1
    assert f"PostgreSQL runs there already, as process {server.pid}" in said


def test_a_port_in_use_is_named(server: PostgresServer, tmp_path: Path) -> None:
    port = int(server.url.rpartition(":")[2].partition("/")[0])
    with pytest.raises(PortInUse, match=f"Port already in use: {port}, which PostgreSQL needs"):
        PostgresServer(tmp_path / "other", port, embedded_binaries()).start()


def test_data_of_another_version_is_left_alone(server: PostgresServer, tmp_path: Path) -> None:
    server.stop()
    (tmp_path / "data" / "postgres" / "PG_VERSION").write_text("9\n")
    with pytest.raises(ForeignData, match="was written by PostgreSQL 9"):
        server.start()


def test_a_start_that_was_cut_off_leaves_nothing_in_the_way(
    tmp_path: Path, start_server: StartServer
) -> None:
    (tmp_path / "postgres.new" / "data").mkdir(parents=True)
    (tmp_path / "postgres.new" / "data" / "PG_VERSION").write_text("18\n")
    server = start_server(PostgresServer(tmp_path, free_port(), embedded_binaries()))
    assert value(server.url, "SELECT 1") == 1
    assert not (tmp_path / "postgres.new").exists()


def test_missing_programs_are_named(tmp_path: Path) -> None:
    with pytest.raises(ProgramMissing, match="Not installed: postgres in "):
        PostgresServer(tmp_path / "data", free_port(), tmp_path).start()


def test_what_the_server_said_is_shown(tmp_path: Path, server: PostgresServer) -> None:
    server.stop()
    (tmp_path / "data" / "postgres" / "postgresql.conf").write_text("nonsense\n")
    server.start()
    with pytest.raises(NotReady, match=r"PostgreSQL ended: .*syntax error"):
        server.wait_ready()
    shutil.rmtree(tmp_path / "data")
