"""Migrations: bringing the ledger's schema to the newest version.

Migrations are the numbered SQL files beside this module. All that are missing are applied in one
transaction together with their marks, under a lock that ends with it: a run that dies has done
nothing, and through a pooler no lock stays behind. The marks are in the table of yoyo-migrations,
which earlier releases used (docs/decisions/0023).
"""

from __future__ import annotations

import hashlib
import math
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import errors, extensions

from shared.errors import MigrationFailed, SettingError
from shared.ledger import roles
from shared.ledger.connection import EncodingRefused, TimedConnection
from shared.ledger.failures import is_unavailable, one_line, translated
from shared.ledger.hosts import Hosts
from shared.ledger.logins import Login

MIGRATIONS = Path(__file__).with_name("migrations")
LOCK = 5_270_001
"""Number of the advisory lock; any that nothing else in the database uses."""

LOCK_SECONDS = 60.0
"""Seconds to wait for a lock, another migration's or that of a session that uses a table."""

ANSWER_SECONDS = 10.0
"""Seconds to wait for an answer beside that; only a migration itself may take any time."""

ROLES = "roles"
"""The step after the migrations."""

_MARKS = """
CREATE TABLE IF NOT EXISTS _yoyo_migration (
  migration_hash varchar(64) PRIMARY KEY, migration_id varchar(255), applied_at_utc timestamp
);
CREATE TABLE IF NOT EXISTS _yoyo_version (
  version integer PRIMARY KEY, installed_at_utc timestamp
);
INSERT INTO _yoyo_version VALUES (2, now() AT TIME ZONE 'UTC') ON CONFLICT DO NOTHING;
"""
"""As yoyo-migrations 9 has them, so that an earlier release finds its schema up to date."""

_INSERT = "INSERT INTO _yoyo_migration VALUES"
_MARK = f"{_INSERT} (%s, %s, now() AT TIME ZONE 'UTC')"

_HOLDER = """
SELECT a.pid, a.state FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
 WHERE l.locktype = 'advisory' AND l.classid = 0 AND l.objid = %s AND l.granted
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

_RIGHTS = """
SELECT current_user, coalesce(current_schema(), 'public'),
       coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)
"""


def migrate(
    url: str,
    lock_seconds: float = LOCK_SECONDS,
    *,
    login: Login | None = None,
    with_roles: bool = False,
    iam: bool = False,
) -> list[str]:
    """Apply the migrations that are missing: all of them or, after an error, none.

    Args:
        url: a `postgresql://` URL of a role that may create tables.
        lock_seconds: how long to wait for a lock.
        login: where the login is not in the URL, or may have changed.
        with_roles: whether the functions' roles are set up, too; see `roles.set_up`.
        iam: whether these log in with IAM.

    Returns:
        The ids of those that were applied; none if the schema is up to date.

    Raises:
        SettingError: the URL cannot be read, the database's encoding is not UTF8, or the role may
            not create tables, or roles.
        MigrationFailed: a migration is not possible here, or another one does not end.
        LedgerUnavailable: PostgreSQL is unreachable.
    """
    hosts = Hosts(url, login)
    with translated():
        try:
            connection = hosts.connect()
        except EncodingRefused as error:
            raise SettingError(f"DATABASE_URL: {error}") from error
        with closing(connection):
            connection.seconds = lock_seconds + ANSWER_SECONDS
            return _Run(connection, lock_seconds).apply(with_roles=with_roles, iam=iam)


@dataclass(frozen=True, slots=True)
class Schema:
    """How the ledger's schema compares with this version's migrations.

    Attributes:
        pending: ids of the migrations that are missing.
        newer: ids of applied ones that this version does not have.
    """

    pending: tuple[str, ...]
    newer: tuple[str, ...]


def schema(connection: extensions.connection) -> Schema:
    """Return which migrations a database lacks; nothing is changed or locked.

    Args:
        connection: in autocommit mode.

    Raises:
        psycopg2.Error: the database cannot be asked.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('_yoyo_migration')")
        marked: set[str] = set()
        if cursor.fetchall()[0][0] is not None:
            cursor.execute("SELECT migration_id FROM _yoyo_migration")
            marked = {row[0] for row in cursor.fetchall()}
    known = [file.stem for file in _files()]
    return Schema(
        tuple(name for name in known if name not in marked), tuple(sorted(marked - set(known)))
    )


class _Run:
    """One run, on one connection.

    Args:
        connection: in autocommit mode.
        lock_seconds: how long to wait for a lock.
    """

    def __init__(self, connection: TimedConnection, lock_seconds: float) -> None:
        self._connection = connection
        self._lock_seconds = lock_seconds
        self._step = ""

    def apply(self, *, with_roles: bool, iam: bool) -> list[str]:
        try:
            # READ COMMITTED, whatever the default: the marks are read after the lock was granted.
            self._execute("BEGIN ISOLATION LEVEL READ COMMITTED")
            self._execute(f"SET LOCAL lock_timeout = '{self._lock_seconds:g}s'")
            self._execute("SET LOCAL statement_timeout = 0")
            self._execute(f"SELECT pg_advisory_xact_lock({LOCK})")
            applied = self._apply_missing()
            if with_roles:
                self._step = ROLES
                roles.set_up(self._execute, iam=iam)
            self._execute("COMMIT")
        except psycopg2.Error as error:
            raise self._explained(error) from error
        return applied

    def _apply_missing(self) -> list[str]:
        missing = [file for file in _files() if file.stem not in self._marked()]
        if not missing:
            return []  # which takes no right to create anything
        self._step = "_yoyo_migration"
        self._execute(_MARKS)
        self._connection.seconds = math.inf
        for file in missing:
            self._step = file.stem
            self._execute(file.read_text(encoding="utf-8"))
            self._execute(_MARK, _hash(file.stem), file.stem)
        return [file.stem for file in missing]

    def _marked(self) -> set[str]:
        if self._execute("SELECT to_regclass('_yoyo_migration')")[0][0] is None:
            return set()
        return {row[0] for row in self._execute("SELECT migration_id FROM _yoyo_migration")}

    def _explained(self, error: psycopg2.Error) -> Exception:
        """Return an error that says what a person can do, where the text of the cause does not."""
        if self._connection.closed:
            return error
        self._execute("ROLLBACK")
        match error:
            case errors.LockNotAvailable() if holders := self._execute(_HOLDER, LOCK):
                pid, state = holders[0]
                return MigrationFailed(
                    f"another migration has not ended within {self._lock_seconds:g} s; its lock is"
                    f" held by PostgreSQL's process {pid} ({state}), which SELECT"
                    f" pg_terminate_backend({pid}) would end"
                )
            case errors.LockNotAvailable():
                return MigrationFailed(
                    f"{self._step}: its tables were in use for {self._lock_seconds:g} s"
                )
            case errors.InsufficientPrivilege():
                role, schema, may_create = self._execute(_RIGHTS)[0]
                about = one_line(error)
                if self._step == ROLES:
                    return SettingError(
                        f"DATABASE_ROLES: role {role} cannot set up the roles of the functions; it"
                        f" takes CREATEROLE, and all tables: {about}"
                    )
                if self._step and not may_create:
                    about = f"it lacks a right: GRANT CREATE ON SCHEMA {schema} TO {role}"
                return SettingError(f"DATABASE_URL: role {role}: {about}")
            case _ if is_unavailable(error):
                return error
            case errors.DuplicateObject() | errors.DuplicateTable() | errors.DuplicateColumn():
                mark = f"('{_hash(self._step)}', '{self._step}', now())"
                return MigrationFailed(
                    f"{self._step}: {one_line(error)}; if an earlier release was ended right after"
                    f" this migration, record it: {_INSERT} {mark}"
                )
            case _:
                return MigrationFailed(f"{self._step}: {one_line(error)}")

    def _execute(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else []


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _files() -> list[Path]:
    """Return the migrations in their order."""
    return sorted(
        file
        for file in MIGRATIONS.iterdir()
        if file.suffix == ".sql" and not file.name.endswith(".rollback.sql")
    )
