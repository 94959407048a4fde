"""Databases with so many rows, and what can be asked of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg2

from shared.ledger.migrate import migrate

CHUNK = 250_000
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

QUEUE = """
INSERT INTO file_sync
  (oeid, ref_id, file_name, file_type, payload_checksum, request_id, due_at)
SELECT 'o', 'r', name, 'application/octet-stream', sha256(random()::text::bytea), 'bench',
       now() + interval '1 hour'
  FROM unnest(%s::text[]) AS name
RETURNING id
"""


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
    for table in ("file_sync", "sync_attempt", "sync_count"):
        execute(url, f"VACUUM ANALYZE {table}")
    execute(url, "CHECKPOINT")
    counted = counts(url)
    if counted != (rows, 0):
        raise AssertionError(f"the counters say {counted}, the ledger has {rows} rows")
    return url


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
