"""What must be there before the functions start: a database, the ledger's tables, the queues."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shared.config.settings import Settings, needed
from shared.database_login import database_login
from shared.errors import ServiceError
from shared.ledger.hosts import check_encoding
from shared.ledger.inspection import inspect
from shared.ledger.migrate import migrate


class MigrationsPending(ServiceError):
    """The ledger's schema is of an earlier version."""


def require_ledger(settings: Settings, seconds: float) -> None:
    """Make sure that the ledger is reachable and up to date.

    Args:
        settings: with its URL.
        seconds: for the connection, and for each statement.

    Raises:
        SettingError: `DATABASE_URL` is missing or invalid, or the database's encoding is not UTF8.
        LedgerUnavailable: PostgreSQL is unreachable; the text has the reason.
        MigrationsPending: the ledger's schema is of an earlier version.
    """
    login = database_login(settings)
    found = inspect(needed(settings.database_url, "DATABASE_URL"), seconds, login=login)
    if found.schema.pending:
        raise MigrationsPending(f"{', '.join(found.schema.pending)}; run ./sync migrate")


def check_database(variables: Mapping[str, str]) -> None:
    """Check the database's encoding, if the database answers; one that is away may come back.

    Args:
        variables: the environment of the process.

    Raises:
        SettingError: `DATABASE_URL` is invalid, or the database's encoding is not UTF8.
    """
    settings = Settings.from_mapping(variables)
    if settings.database_url is not None:
        check_encoding(settings.database_url, database_login(settings))


def prepare(variables: Mapping[str, str]) -> Iterator[str]:
    """Bring the ledger's schema up to date and declare the queues; idempotent.

    Args:
        variables: the environment of the processes.

    Yields:
        What was done, a line each.

    Raises:
        SettingError: a setting is missing or invalid, or a queue exists with other properties.
        MigrationFailed: the schema cannot be brought up to date.
        LedgerUnavailable, QueueUnavailable: PostgreSQL or the broker is unreachable.
    """
    settings = Settings.from_mapping(variables)
    applied = migrate(
        needed(settings.database_url, "DATABASE_URL"),
        login=database_login(settings),
        with_roles=settings.database_roles,
        iam=settings.database_auth == "iam",
    )
    for migration in applied:
        yield f"ledger migrated: {migration}"
    if settings.rabbitmq_url is not None:
        from shared.queue.rabbitmq.broker_queue import declare  # noqa: PLC0415 # pika, for those with a broker

        declare(settings.rabbitmq_url, settings.queue_type)
        yield f"queues declared: {settings.queue_type}"
