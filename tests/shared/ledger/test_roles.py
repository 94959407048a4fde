"""What each function's role may do, and what becomes of a database where roles cannot be made."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from urllib.parse import urlsplit

import psycopg2
import pytest
from psycopg2 import errors

from shared.errors import SettingError
from shared.ledger.migrate import migrate
from shared.ledger.roles import FUNCTIONS, GROUPS, acting_as, role_of
from tests.helpers.servers import execute, query

EVERYONE = frozenset(FUNCTIONS)
NOBODY: frozenset[str] = frozenset()
ACTING = frozenset({"admin", "reconcile", "requeue", "s3_events", "scrub"})
"""Those that perform what a person, a rule or a run wants done with objects."""

INSERT = "INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id)"

MAY = {
    f"{INSERT} VALUES ('', '', 'a', 't/t', sha256('a'), '')": {"ingest", "reconcile", "s3_events"},
    "SELECT id, payload_checksum, request_id, created_at FROM file_sync": EVERYONE - {"notify"},
    "SELECT file_name, last_error FROM file_sync": EVERYONE - {"ingest", "notify"},
    "UPDATE file_sync SET due_at = now()": ACTING | {"worker"},
    "UPDATE file_sync SET state = 'dismissed'": ACTING | {"worker"},
    "UPDATE file_sync SET leased_until = now()": {"requeue", "worker"},
    "UPDATE file_sync SET attempts = 1, size_bytes = 1, sha256 = '', etag = ''": {"worker"},
    "UPDATE file_sync SET file_name = 'b'": NOBODY,
    "UPDATE file_sync SET payload_checksum = '', request_id = ''": NOBODY,
    "DELETE FROM file_sync": NOBODY,
    "INSERT INTO sync_attempt VALUES (1, 1, 'lost', '', now())": {"requeue", "worker"},
    "INSERT INTO search_key VALUES (1, 1, 1)": NOBODY,
    "UPDATE search_key SET oeid = 1": NOBODY,
    "DELETE FROM search_key": NOBODY,
    "UPDATE sync_attempt SET reason = ''": NOBODY,
    "DELETE FROM sync_attempt": NOBODY,
    "INSERT INTO action (name, actor, selection, last_id) VALUES ('verify', '', '{}', 0)": ACTING,
    "DELETE FROM action": NOBODY,
    "DELETE FROM action_object": NOBODY,
    "DELETE FROM verification": ACTING,
    "UPDATE run SET error = ''": {"admin", "reconcile", "scrub"},
    "DELETE FROM run": NOBODY,
    "DELETE FROM run_finding": {"reconcile"},
    "SELECT data FROM callback": {"admin", "notify", "requeue", "stats"},
    "INSERT INTO callback (file_sync_id, name_key, event, data)"
    " SELECT 1, 1, 'object.synced', '{}' WHERE false": {"requeue", "worker"},
    "UPDATE callback SET delivered_at = now(), state = 'delivered'": {"admin", "notify"},
    "UPDATE callback SET data = '{}'": NOBODY,
    "UPDATE installation SET storage_place = ''": {"reconcile", "scrub", "worker"},
    "UPDATE installation SET id = gen_random_uuid()": NOBODY,
    "SELECT id FROM installation": {"admin", "reconcile", "scrub", "worker"},
    "DELETE FROM counter": {"admin", "ingest", "s3_events", "stats"},
    "INSERT INTO admin_logout VALUES ('', now())": {"admin"},
    "DELETE FROM pause": {"notify", "worker"},
    "DELETE FROM heartbeat": {"requeue", "worker"},
    "SELECT objects FROM sync_count": EVERYONE - {"notify"},
    "DELETE FROM sync_count": NOBODY,
    "SELECT migration_id FROM _yoyo_migration": {"admin"},
    "INSERT INTO _yoyo_migration VALUES ('', '', now())": NOBODY,
    "TRUNCATE file_sync CASCADE": NOBODY,
    "DROP TABLE file_sync CASCADE": NOBODY,
    "CREATE TABLE mine ()": NOBODY,
    "CREATE ROLE another": NOBODY,
}
"""Statements, and the functions that may run each."""


def may(url: str, function: str, statement: str) -> bool:
    own = psycopg2.connect(acting_as(url, function))
    with closing(own) as connection, connection.cursor() as cursor:
        try:
            cursor.execute(statement)
        except errors.InsufficientPrivilege:
            return False
        except (errors.IntegrityError, errors.ForeignKeyViolation):
            return True
        finally:
            connection.rollback()
    return True


@pytest.mark.parametrize("statement", MAY)
def test_a_role_may_do_what_its_function_needs_and_no_more(
    database_url: str, statement: str
) -> None:
    assert {name for name in FUNCTIONS if may(database_url, name, statement)} == MAY[statement]


def test_no_role_has_a_right_of_the_whole_server(database_url: str) -> None:
    names = ", ".join(f"'{role}'" for role in (*GROUPS, *map(role_of, FUNCTIONS)))
    assert query(
        database_url,
        "SELECT bool_or(rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls"
        f" OR rolcanlogin), count(*) FROM pg_roles WHERE rolname IN ({names})",
    ) == [(False, len(FUNCTIONS) + len(GROUPS))]


def test_what_an_earlier_release_granted_is_taken_back(database_url: str) -> None:
    forbidden = "DELETE FROM file_sync"
    execute(database_url, "GRANT DELETE ON file_sync TO sync_stats")
    assert may(database_url, "stats", forbidden)
    migrate(database_url, with_roles=True)
    assert not may(database_url, "stats", forbidden)
    assert may(database_url, "stats", "SELECT 1 FROM file_sync")


def test_requests_are_recorded_when_an_earlier_release_has_set_the_roles_up_again(
    database_url: str,
) -> None:
    record = next(statement for statement in MAY if statement.startswith(INSERT))
    execute(database_url, "REVOKE ALL ON search_key FROM sync_ingest, sync_s3_events")
    assert may(database_url, "ingest", record)
    assert may(database_url, "s3_events", record)


def test_databases_of_one_server_get_their_roles_at_the_same_time(
    postgres_url: str, database_url: str
) -> None:
    with ThreadPoolExecutor(4) as threads:
        runs = [
            threads.submit(migrate, url, with_roles=True)
            for url in (postgres_url, database_url) * 2
        ]
        assert [bool(run.result()) for run in runs].count(True) == 1
    assert may(postgres_url, "stats", "SELECT 1 FROM file_sync")


@pytest.fixture
def owner(postgres_url: str) -> Iterator[str]:
    """The URL of a user that owns a database and may do nothing else."""
    name = urlsplit(postgres_url).path.strip("/")
    execute(
        postgres_url,
        f"CREATE ROLE {name} LOGIN PASSWORD 'p'",
        f"ALTER DATABASE {name} OWNER TO {name}",
        f"GRANT CREATE ON SCHEMA public TO {name}",
    )
    parts = urlsplit(postgres_url)
    yield parts._replace(netloc=f"{name}:p@127.0.0.1:{parts.port}").geturl()
    execute(
        postgres_url,
        f"REASSIGN OWNED BY {name} TO sync",
        f"DROP OWNED BY {name}",
        f"DROP ROLE {name}",
    )


def test_a_user_that_may_not_make_roles_migrates_without_them(owner: str) -> None:
    with pytest.raises(SettingError, match="DATABASE_ROLES"):
        migrate(owner, with_roles=True)
    assert migrate(owner)
    assert migrate(owner) == []


def test_the_options_of_a_url_are_kept() -> None:
    options = "postgresql://u@h/d?options=-c%20statement_timeout%3D5s"
    assert psycopg2.extensions.parse_dsn(acting_as(options, "stats"))["options"] == (
        "-c statement_timeout=5s -c role=sync_stats"
    )
