"""PostgreSQL: reachable, new enough, writable, migrated, its clock correct."""

from __future__ import annotations

from collections.abc import Iterator

from local.doctor.finding import Finding, ok, problem, skipped, warning
from shared.config.settings import Settings
from shared.errors import LedgerUnavailable, SettingError
from shared.ledger.inspection import inspect

LEAST_NUMBER = 140_000
"""PostgreSQL 14, which introduced date_bin."""

CLOCK_SECONDS = 5.0
"""Leases and retries use the database's clock alone; logs and the admin mix both clocks."""


def examine(settings: Settings, seconds: float) -> Iterator[Finding]:
    """Yield the findings about the ledger's database.

    Args:
        settings: with the database's URL.
        seconds: time limit of each step.
    """
    if settings.database_url is None:
        yield skipped("PostgreSQL", "DATABASE_URL is not set or invalid, and no server runs")
        return
    try:
        found = inspect(settings.database_url, seconds)
    except LedgerUnavailable as error:
        yield problem(
            "PostgreSQL", str(error), "start it, or correct host and login in DATABASE_URL"
        )
        return
    except SettingError as error:
        yield problem("PostgreSQL", str(error), "correct DATABASE_URL or the database it names")
        return
    if found.number < LEAST_NUMBER:
        yield problem("PostgreSQL", f"version {found.version}", "upgrade it to 14 or newer")
    else:
        yield ok("PostgreSQL", f"reachable, version {found.version}")
    if found.read_only:
        yield problem(
            "PostgreSQL", "it is read-only, as a standby is", "name the primary in DATABASE_URL"
        )
    if found.schema.pending:
        pending = ", ".join(found.schema.pending)
        yield problem("migrations", f"pending: {pending}", "run ./sync migrate")
    elif found.schema.newer:
        newer = ", ".join(found.schema.newer)
        yield warning("migrations", f"of a newer version: {newer}", "upgrade this installation")
    else:
        yield ok("migrations", "none pending")
    yield clock("clock of PostgreSQL", found.clock_seconds, CLOCK_SECONDS)


def clock(check: str, ahead: float, most: float) -> Finding:
    """Return a finding about the difference between a clock and this machine's.

    Args:
        check: which clock it is.
        ahead: seconds by which it is ahead, negative if it is behind.
        most: seconds by which it may differ.
    """
    if abs(ahead) <= most:
        return ok(check, f"differs by {abs(ahead):.1f} s")
    way = "ahead of" if ahead > 0 else "behind"
    return warning(
        check,
        f"{abs(ahead):.0f} s {way} this machine's",
        "synchronize the clocks of both by NTP (timedatectl)",
    )
