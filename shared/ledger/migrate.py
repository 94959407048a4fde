"""Migrations: bringing the ledger's schema to the newest version.

Migrations are the numbered SQL files beside this module, applied in order by yoyo-migrations,
each in a transaction of its own, under a lock, and never twice.
"""

from __future__ import annotations

import glob
from pathlib import Path

import yoyo

from shared.ledger.failures import translated

MIGRATIONS = Path(__file__).with_name("migrations")
LOCK = 5_270_001
"""Number of the advisory lock; any that nothing else in the database uses."""


def migrate(url: str) -> list[str]:
    """Apply the migrations that are missing.

    Args:
        url: a `postgresql://` URL of a role that may create tables.

    Returns:
        The ids of those that were applied; none if the schema is up to date.

    Raises:
        LedgerUnavailable: PostgreSQL is unreachable.
    """
    with translated():
        backend = yoyo.get_backend(url.replace("postgres://", "postgresql://", 1))
        try:
            # yoyo's own lock is a row, and stays if its holder is killed. This one ends with the
            # connection; its holder may delete that row.
            backend.execute(f"SELECT pg_advisory_lock({LOCK})")
            backend.commit()
            backend.break_lock()
            # yoyo reads the folder as a pattern.
            known = yoyo.read_migrations(glob.escape(str(MIGRATIONS)))
            missing = backend.to_apply(known)
            backend.apply_migrations(missing)
            return [migration.id for migration in missing]
        finally:
            backend.connection.close()
