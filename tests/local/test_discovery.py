"""Commands find the servers of a running service by what it left on file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from local.discovery import NothingRuns, SeveralRun, Unreadable, find, with_servers
from local.environment import LocalEnvironment
from local.native_services import Ports
from local.servers.memcached import MemcachedServer
from local.servers.postgres import PostgresServer, embedded_binaries
from local.servers.rabbitmq import RabbitPorts, RabbitServer
from local.servers.server import Server
from tests.helpers.paths import ROOT
from tests.helpers.project import environment
from tests.helpers.servers import connect, free_port

Start = Callable[[Server], Server]


def at(data_dir: Path, **variables: str) -> LocalEnvironment:
    return LocalEnvironment(data_dir, {"DATA_DIR": str(data_dir), **variables})


def typed(data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Type a command with nothing set but where the data is."""
    return subprocess.run(
        [sys.executable, "-m", "local", *arguments],
        cwd=data_dir,
        env=environment(PYTHONPATH=str(ROOT), DATA_DIR=str(data_dir), PORT=str(free_port())),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def embedded(tmp_path: Path, start_server: Start) -> PostgresServer:
    """The PostgreSQL of `make run`."""
    server = PostgresServer(tmp_path, free_port(), embedded_binaries())
    start_server(server)
    return server


def test_beside_make_run_every_command_finds_the_ledger(
    embedded: PostgresServer, tmp_path: Path
) -> None:
    found = find(at(tmp_path))
    assert (found.command, found.variables["DATABASE_URL"]) == ("make run", embedded.url)
    migrated = typed(tmp_path, "migrate")
    assert "ledger migrated: 0001" in migrated.stdout, migrated.stderr
    retried = typed(tmp_path, "retry", "--all")
    assert retried.stdout == "0 failed objects are queued again\n", retried.stderr
    shown = typed(tmp_path, "status")
    assert "(make run)" in shown.stdout, shown.stderr
    assert str(tmp_path / "secret_key") in shown.stdout
    secret = (tmp_path / "postgres.password").read_text()
    assert secret not in shown.stdout
    assert (tmp_path / "secret_key").read_text() not in shown.stdout


def test_beside_make_services_every_command_finds_ledger_and_queue(
    tmp_path: Path, start_server: Start
) -> None:
    folder = tmp_path / "services"
    ledger = PostgresServer(folder, free_port(), embedded_binaries())
    queue = RabbitServer(folder, RabbitPorts(*(free_port() for _ in range(4))))
    cache = MemcachedServer(folder, free_port())
    for server in (ledger, queue, cache):
        start_server(server)
    port = int(cache.address.rpartition(":")[2])
    found = find(at(tmp_path), Ports(memcached=port))
    assert found.command == "make services"
    assert found.variables == {
        "DATABASE_URL": ledger.url,
        "RABBITMQ_URL": queue.url,
        "MEMCACHED_URL": cache.address,
    }
    migrated = typed(tmp_path, "migrate")
    assert "queues declared: quorum" in migrated.stdout, migrated.stderr
    assert typed(tmp_path, "retry", "--all").returncode == 0


def compose(data_dir: Path, password: str) -> None:
    """Write the secrets that local/compose.sh keeps."""
    (data_dir / "compose").mkdir()
    (data_dir / "compose" / "postgres.password").write_text(password)
    (data_dir / "compose" / "rabbitmq.password").write_text("hidden")


def test_beside_make_up_the_published_ports_and_the_kept_secrets_are_used(
    tmp_path: Path, start_server: Start
) -> None:
    port = free_port()
    start_server(PostgresServer(tmp_path / "in a container", port, embedded_binaries()))
    compose(tmp_path, (tmp_path / "in a container" / "postgres.password").read_text())
    found = find(at(tmp_path), Ports(postgres=port))
    assert found.command == "make up"
    connect(found.variables["DATABASE_URL"]).close()
    assert found.variables["RABBITMQ_URL"] == "amqp://sync:hidden@127.0.0.1:27004/"
    assert found.variables["AWS_ENDPOINT_URL_S3"] == "http://127.0.0.1:27006"


def test_with_containers_that_are_down_nothing_runs(tmp_path: Path) -> None:
    compose(tmp_path, "secret")
    with pytest.raises(NothingRuns):
        find(at(tmp_path), Ports(postgres=free_port()))


def test_with_two_services_the_user_has_to_choose(embedded: PostgresServer, tmp_path: Path) -> None:
    compose(tmp_path, "secret")
    port = int(embedded.url.rpartition("/")[0].rpartition(":")[2])
    with pytest.raises(SeveralRun, match="make run and make up"):
        find(at(tmp_path), Ports(postgres=port))


def test_a_given_database_wins_and_nothing_else_is_taken(
    embedded: PostgresServer, tmp_path: Path
) -> None:
    for name in ("DATABASE_URL", "DATABASE_URL_ARN"):
        given = at(tmp_path, **{name: "given"})
        assert with_servers(given) is given
    assert with_servers(at(tmp_path)).given["DATABASE_URL"] == embedded.url


def test_other_given_settings_win_too(embedded: PostgresServer, tmp_path: Path) -> None:
    given = with_servers(at(tmp_path, SECRET_KEY="given", RABBITMQ_URL="amqp://given")).given
    assert given["SECRET_KEY"] == "given"
    assert given["RABBITMQ_URL"] == "amqp://given"
    assert given["DATABASE_URL"] == embedded.url


@pytest.mark.parametrize(
    "arguments", [["retry", "--all"], ["migrate"], ["status"], ["trigger"], ["scheduler"]]
)
def test_where_nothing_runs_one_line_says_what_was_looked_for(
    arguments: list[str], tmp_path: Path
) -> None:
    done = typed(tmp_path, *arguments)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    for part in (str(tmp_path), "make run", "make services", "make up", "DATABASE_URL"):
        assert part in done.stderr


def test_a_service_that_was_stopped_is_not_found(embedded: PostgresServer, tmp_path: Path) -> None:
    embedded.stop()
    with pytest.raises(NothingRuns):
        find(at(tmp_path))


def test_files_that_cannot_be_read_are_named(embedded: PostgresServer, tmp_path: Path) -> None:
    assert embedded.pid
    (tmp_path / "postgres.password").rename(tmp_path / "elsewhere")
    with pytest.raises(Unreadable, match=r"postgres\.password"):
        find(at(tmp_path))
