"""Logging in with TLS, with tokens, and with passwords that change, at a real PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest

from local.servers.errors import ProgramMissing
from local.servers.postgres import PostgresServer, native_binaries
from shared.errors import AwsUnavailable, LedgerUnavailable, SettingError
from shared.ledger.hosts import Hosts
from shared.ledger.ledger import Ledger
from shared.ledger.logins import RENEWED_SECONDS, TOKEN_SECONDS, SecretLogin, TokenLogin
from tests.helpers.certificates import certificate
from tests.helpers.missing import missing
from tests.helpers.servers import execute, free_port, query

IAM_URL = "postgresql://sync_ingest@db.test:5432/sync?sslmode=verify-full"


@pytest.fixture
def server(
    tmp_path: Path, start_server: Callable[[PostgresServer], PostgresServer]
) -> PostgresServer:
    """A PostgreSQL that can do TLS, which the one in the wheel cannot."""
    try:
        native_binaries()
    except ProgramMissing as error:
        missing(error.about)
    return start_server(PostgresServer(tmp_path / "server", free_port(), native_binaries))


def with_tls(server: PostgresServer, folder: Path) -> Path:
    """Let a server that runs answer as `localhost`, and return the file of its authority."""
    authority, key = certificate(folder / "localhost", "localhost")
    data = folder / "server" / "postgres"
    owner = data.stat()
    for name, file in (("server.crt", authority), ("server.key", key)):
        path = data / name
        path.touch(mode=0o600)
        path.write_bytes(file.read_bytes())
        os.chown(path, owner.st_uid, owner.st_gid)
    execute(server.url, "ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()")
    return authority


@pytest.fixture
def authority(server: PostgresServer, tmp_path: Path) -> Path:
    return with_tls(server, tmp_path)


def verified(server: PostgresServer, authority: Path, host: str = "localhost") -> str:
    url = server.url.replace("127.0.0.1", host)
    return f"{url}?sslmode=verify-full&sslrootcert={authority}"


def test_a_server_of_the_right_authority_and_name_is_trusted(
    server: PostgresServer, authority: Path
) -> None:
    hosts = Hosts(verified(server, authority))
    with closing(hosts.connect()) as opened, opened.cursor() as cursor:
        cursor.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        assert cursor.fetchall() == [(True,)]


def refused(url: str) -> str:
    with closing(Ledger.at(url)) as ledger, pytest.raises(LedgerUnavailable) as caught:
        ledger.ping()
    return str(caught.value.__cause__)


def test_no_other_server_is_trusted(
    server: PostgresServer, authority: Path, tmp_path: Path
) -> None:
    other, _ = certificate(tmp_path / "other", "localhost")
    assert "certificate verify failed" in refused(verified(server, other))
    assert 'does not match host name "127.0.0.1"' in refused(
        verified(server, authority, "127.0.0.1")
    )
    gone = tmp_path / "gone.pem"
    assert f'root certificate file "{gone}" does not exist' in refused(verified(server, gone))


def test_nothing_is_sent_without_tls(server: PostgresServer, tmp_path: Path) -> None:
    authority, _ = certificate(tmp_path, "localhost")
    assert "server does not support SSL" in refused(verified(server, authority))


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Signer:
    """Makes a new token each time."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []

    def __call__(self, host: str, port: str, user: str) -> str:
        self.asked.append((host, port, user))
        return f"token {len(self.asked)}"


def test_a_token_is_used_for_ten_minutes() -> None:
    clock, signer = Clock(), Signer()
    login = TokenLogin(IAM_URL, signer, clock)
    given = {"host": "db.test", "port": "5433", "user": "sync_ingest"}
    assert login.parameters(given) == {"password": "token 1"}
    clock.now += TOKEN_SECONDS - 1
    assert login.parameters(given) == {"password": "token 1"}
    clock.now += 1
    assert login.parameters(given) == {"password": "token 2"}
    clock.now -= 3600  # set back: how old the token is can no longer be told
    assert login.parameters(given) == {"password": "token 3"}
    assert login.parameters({"host": "other.test", "user": "u"}) == {"password": "token 4"}
    assert signer.asked[0] == ("db.test", "5433", "sync_ingest")
    assert signer.asked[-1] == ("other.test", "5432", "u")


def test_a_token_is_for_a_server_that_is_verified_alone() -> None:
    for mode in ("", "?sslmode=require", "?sslmode=verify-ca"):
        with pytest.raises(SettingError, match="sslmode=verify-full"):
            TokenLogin(f"postgresql://u@h/d{mode}", Signer())


def test_without_aws_credentials_the_database_is_unreachable() -> None:
    def sign(*_: str) -> str:
        raise AwsUnavailable("no AWS credentials found")

    login = TokenLogin(IAM_URL, sign)
    with pytest.raises(psycopg2.OperationalError, match="no AWS credentials found"):
        login.parameters({"host": "h", "user": "u"})


def test_a_server_takes_tokens_and_a_refused_one_is_made_again(
    server: PostgresServer, authority: Path
) -> None:
    clock, signer = Clock(), Signer()
    execute(server.url, "CREATE ROLE sync_ingest LOGIN PASSWORD 'token 1'")
    parts = urlsplit(verified(server, authority))
    url = parts._replace(netloc=f"sync_ingest@localhost:{parts.port}").geturl()
    hosts = Hosts(url, TokenLogin(url, signer, clock))
    hosts.connect().close()
    execute(server.url, "ALTER ROLE sync_ingest PASSWORD 'token 2'")
    clock.now += RENEWED_SECONDS
    hosts.connect().close()
    execute(server.url, "ALTER ROLE sync_ingest PASSWORD 'none'")
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        hosts.connect()  # the token is new: there is no use in another one
    assert signer.asked == [("localhost", str(parts.port), "sync_ingest")] * 2


@pytest.fixture
def role(postgres_url: str) -> Iterator[str]:
    """The URL of a user of the test's own."""
    name = urlsplit(postgres_url).path.strip("/")
    execute(postgres_url, f"CREATE ROLE {name} LOGIN PASSWORD 'old'")
    yield urlsplit(postgres_url)._replace(netloc=_at(postgres_url, name, "old")).geturl()
    execute(postgres_url, f"DROP ROLE {name}")


def _at(url: str, user: str, password: str) -> str:
    return f"{user}:{password}@127.0.0.1:{urlsplit(url).port}"


def test_a_changed_password_is_read_again_once_it_is_needed(role: str, postgres_url: str) -> None:
    reads: list[str] = []
    name = urlsplit(role).username

    def read() -> str:
        reads.append(role.replace(":old@", ":new@"))
        return reads[-1]

    clock = Clock()
    hosts = Hosts(role, SecretLogin(read, clock))
    hosts.connect().close()
    assert not reads
    execute(postgres_url, f"ALTER ROLE {name} PASSWORD 'new'")
    hosts.connect().close()
    hosts.connect().close()
    assert len(reads) == 1
    execute(postgres_url, f"ALTER ROLE {name} PASSWORD 'newer'")
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        hosts.connect()
    assert len(reads) == 1  # not again at once
    clock.now += RENEWED_SECONDS
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        hosts.connect()
    assert len(reads) == 2


def test_what_is_no_refusal_reads_nothing() -> None:
    def read() -> str:
        raise AssertionError

    hosts = Hosts(f"postgresql://u:p@127.0.0.1:{free_port()}/d", SecretLogin(read))
    with pytest.raises(psycopg2.OperationalError, match="refused"):
        hosts.connect()


def test_a_secret_that_cannot_be_read_leaves_the_refusal(role: str, postgres_url: str) -> None:
    def read() -> str:
        raise SettingError("the secret cannot be read")

    hosts = Hosts(role, SecretLogin(read))
    execute(postgres_url, f"ALTER ROLE {urlsplit(role).username} PASSWORD 'new'")
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        hosts.connect()
    assert query(postgres_url, "SELECT 1") == [(1,)]
