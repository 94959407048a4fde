"""Counters in PostgreSQL: slower than memcached, for limits that must hold without it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from shared.cache.interface import Counter
from shared.errors import CacheUnavailable, LedgerUnavailable
from shared.ledger.database import Database

QUERIES = Path(__file__).with_name("counters.sql")


class PostgresCache:
    """A `Cache` in the ledger's database, in a table that is not logged.

    Args:
        database: with the queries of `QUERIES`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self, counters: Sequence[Counter]) -> list[tuple[int, int]]:
        """See `Cache.count`."""
        with _translated():
            rows = self._database.run(
                "count",
                keys=[counter.key for counter in counters],
                previous_keys=[counter.previous_key for counter in counters],
                lifetimes=[counter.lifetime for counter in counters],
            )
        return [(row.number, row.previous) for row in rows]

    def take_back(self, counters: Sequence[Counter]) -> None:
        """See `Cache.take_back`."""
        with _translated():
            self._database.run("take_back", keys=[counter.key for counter in counters])

    def ping(self) -> None:
        """See `Cache.ping`."""
        with _translated():
            self._database.run("ping")

    def close(self) -> None:
        """See `Cache.close`."""
        self._database.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except LedgerUnavailable as error:
        raise CacheUnavailable("PostgreSQL does not answer") from error
