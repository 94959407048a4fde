"""Brings the ledger's schema to the newest version.

Migrations are the numbered SQL files beside this module, applied in order by yoyo-migrations,
each in a transaction of its own, under a lock, and never twice.
"""

from __future__ import annotations

from pathlib import Path

import yoyo

MIGRATIONS = Path(__file__).with_name("migrations")


def migrate(url: str) -> list[str]:
    """Applies the migrations that are missing.

    Args:
        url: a `postgresql://` URL of a role that may create tables.

    Returns:
        The ids of those that were applied, none when the schema was new enough.
    """
    backend = yoyo.get_backend(url.replace("postgres://", "postgresql://", 1))
    try:
        with backend.lock():
            missing = backend.to_apply(yoyo.read_migrations(str(MIGRATIONS)))
            backend.apply_migrations(missing)
            return [migration.id for migration in missing]
    finally:
        backend.connection.close()
