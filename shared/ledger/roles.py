"""The database roles of the functions: each may do in the ledger what it needs, see `roles.sql`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from psycopg2 import extensions

from shared.ledger.logins import parse_url

PREFIX = "sync_"

FUNCTIONS = (
    "admin",
    "ingest",
    "notify",
    "reconcile",
    "requeue",
    "s3_events",
    "scrub",
    "stats",
    "worker",
)

GROUPS = (f"{PREFIX}actions",)
"""Roles that are granted to others, and that nothing acts as."""

_GRANTS = Path(__file__).with_suffix(".sql")

_MAKE = """
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
    CREATE ROLE {role};
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL;  -- roles are the whole cluster's: a migration of another database made it meanwhile
END $$
"""

_LOG_IN_BY_IAM = """
DO $$ BEGIN
  IF NOT (SELECT rolcanlogin FROM pg_roles WHERE rolname = '{role}') THEN
    ALTER ROLE {role} LOGIN;
  END IF;
  IF NOT pg_has_role('{role}', 'rds_iam', 'MEMBER') THEN
    GRANT rds_iam TO {role};
  END IF;
END $$
"""

# Since PostgreSQL 16, who makes a role may grant it, but not become it.
_LET_CHANGE = """
DO $$ BEGIN
  IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
    GRANT {role} TO CURRENT_USER;
  END IF;
END $$
"""

# For connections that log in as the role: see `free_if_frozen` in queries.sql.
_FREE_IF_FROZEN = f"ALTER ROLE {PREFIX}worker SET idle_in_transaction_session_timeout = '10s'"

_TAKE_BACK = "REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {roles}"


def role_of(function: str) -> str:
    """Return the name of a function's role."""
    return PREFIX + function


def acting_as(url: str, function: str) -> str:
    """Return a DSN of libpq whose connections act as a function's role from their start.

    Poolers refuse this option: PgBouncer knows few parameters, RDS Proxy takes none.

    Args:
        url: of a user that may change to the role.
        function: one of `FUNCTIONS`.

    Raises:
        SettingError: libpq cannot read the URL.
    """
    own = parse_url(url).get("options", "")
    return extensions.make_dsn(url, options=f"{own} -c role={role_of(function)}".strip())


def set_up(execute: Callable[[str], list[tuple[Any, ...]]], *, iam: bool) -> None:
    """Make the roles that are missing and grant each what it needs, no more and no less.

    Args:
        execute: runs one statement of the transaction of a migration.
        iam: whether the functions log in as their roles, with IAM (Amazon RDS, "IAM database
            authentication"); otherwise the user of this transaction may change to them.

    Raises:
        psycopg2.Error: the user may not make roles, or does not own the tables.
    """
    functions = [role_of(name) for name in FUNCTIONS]
    schema = execute("SELECT quote_ident(current_schema())")[0][0]
    for role in (*GROUPS, *functions):
        execute(_MAKE.format(role=role))
    for role in functions:
        # Not both: a member of a role that logs in with IAM can itself log in only with IAM.
        execute((_LOG_IN_BY_IAM if iam else _LET_CHANGE).format(role=role))
    if iam:
        execute(_FREE_IF_FROZEN)
    names = ", ".join((*GROUPS, *functions))
    execute(_TAKE_BACK.format(schema=schema, roles=names))
    execute(_GRANTS.read_text(encoding="utf-8").format(schema=schema, roles=names))
