"""Databases with so many rows, and what can be asked of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import psycopg2

from shared.ledger.migrate import migrate

CHUNK = 250_000
STORED_AT_ONCE = 10_000
FILL = """
INSERT INTO file_sync (
  oeid, ref_id, file_name, file_type, payload_checksum, request_id, state, attempts, due_at,
  claimed_at, created_at, queued_at, synced_at, file_path, size_bytes, sha256, etag)
SELECT 'object-' || n, 'reference-' || n, name, 'image/jpeg', sha256(int8send(n)),
       md5(n::text)::uuid::text, 'synced', 1, at, at, at, at, at, name, 65536,
       sha256(int8send(-n)), md5(n::text)
  FROM generate_series(%s::bigint, %s::bigint) AS n,
       LATERAL (SELECT 'archive/' || n %% 1000 || '/' || n || '.jpg' AS name,
                       now() - make_interval(secs => n %% 1000000) AS at) AS derived
"""
"""Rows as a worker leaves them; the ledger's own triggers count them."""

REASONS = ("The object does not exist", "The object store refuses access", "Too many redirects")

FAILED = """
INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id, state,
                       attempts, last_error, failed_at)
SELECT 'o', 'r', 'failed/' || n || '.jpg', 'image/jpeg', sha256(('f' || n)::bytea), 'r', 'failed',
       8, (%s::text[])[1 + n %% 3] || ': detail ' || n, now() - n * interval '1 s'
  FROM generate_series(1, %s) AS n
"""

STORED = """
INSERT INTO file_sync (
  oeid, ref_id, file_name, file_type, payload_checksum, request_id, state, attempts, claimed_at,
  synced_at, file_path, size_bytes, sha256, etag)
SELECT 'o', 'r', name, 'application/octet-stream', sha256(name::bytea), 'bench', 'synced', 1,
       now(), now(), name, size, sha256, etag
  FROM unnest(%s::text[], %s::bigint[], %s::bytea[], %s::text[]) AS t(name, size, sha256, etag)
"""

QUEUE = """
INSERT INTO file_sync
  (oeid, ref_id, file_name, file_type, payload_checksum, request_id, due_at)
SELECT 'o', 'r', name, 'application/octet-stream', sha256(random()::text::bytea), 'bench',
       now() + interval '1 hour'
  FROM unnest(%s::text[]) AS name
RETURNING id
"""


class StoredFile(NamedTuple):
    """What the ledger knows of a file.

    Attributes:
        name: its key.
        size: its bytes.
        sha256: its digest.
        etag: the store's, without quotes.
    """

    name: str
    size: int
    sha256: bytes
    etag: str


def execute(url: str, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Run one statement and commit it."""
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else []


def make(server_url: str, name: str, rows: int, done: Callable[[int], None]) -> str:
    """Make a database with a ledger of so many synced rows.

    Args:
        server_url: of a database on the same server.
        name: the new database's.
        rows: how many.
        done: is told how many were added.

    Returns:
        Its URL.
    """
    execute(server_url, f"CREATE DATABASE {name}")
    url = f"{server_url.rpartition('/')[0]}/{name}"
    migrate(url)
    for first in range(1, rows + 1, CHUNK):
        last = min(first + CHUNK - 1, rows)
        execute(url, FILL, first, last)
        done(last - first + 1)
    settle(url)
    counted = counts(url)
    if counted != (rows, 0):
        raise AssertionError(f"the counters say {counted}, the ledger has {rows} rows")
    return url


def settle(url: str) -> None:
    """Leave PostgreSQL nothing to do later for what was added."""
    for table in ("file_sync", "sync_attempt", "sync_count"):
        execute(url, f"VACUUM ANALYZE {table}")
    execute(url, "CHECKPOINT")


def add_failed(url: str, rows: int) -> None:
    """Add failed objects, of three reasons."""
    execute(url, FAILED, list(REASONS), rows)


def add_stored(url: str, files: Sequence[StoredFile], done: Callable[[int], None]) -> None:
    """Add synced objects whose files are in place.

    Args:
        url: of the ledger.
        files: what is recorded of each.
        done: is told how many were added.
    """
    for first in range(0, len(files), STORED_AT_ONCE):
        some = files[first : first + STORED_AT_ONCE]
        columns = ([getattr(file, field) for file in some] for field in StoredFile._fields)
        execute(url, STORED, *columns)
        done(len(some))
    settle(url)


def counts(url: str) -> tuple[int, int]:
    """Return the numbers of synced and of other rows, by the counters."""
    sql = "SELECT (state = 'synced')::int, sum(objects)::bigint FROM sync_count GROUP BY 1"
    by_state = dict(execute(url, sql))
    return by_state[1], by_state[0]


class Counter:
    """Watch the number of synced rows over a separate connection.

    All in one transaction, so that PostgreSQL's count of commits is the service's: at the isolation
    level of every connection, READ COMMITTED, each statement sees what is committed by then.

    Args:
        url: of the ledger.
    """

    def __init__(self, url: str) -> None:
        self._connection = psycopg2.connect(url)

    def synced(self) -> int:
        """Return the number of synced rows."""
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT sum(objects)::bigint FROM sync_count WHERE state = 'synced'")
            (number,) = cursor.fetchone() or (0,)
            return int(number)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def queue(url: str, names: list[str]) -> list[int]:
    """Record objects to copy, as ingest would, and return their row ids."""
    return [row_id for (row_id,) in execute(url, QUEUE, names)]
