"""Invoked by each deployment: brings the ledger up to date and declares RabbitMQ's queues."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from functions.migrate import custom_resource
from shared.config.settings import needed
from shared.config.startup import start
from shared.database_login import database_login
from shared.invocation import invocation
from shared.ledger.migrate import migrate
from shared.queue.rabbitmq.broker_queue import declare

logger = logging.getLogger(__name__)


@invocation
def handler(event: Mapping[str, Any], context: custom_resource.Context) -> dict[str, Any]:
    """Bring everything up to date; safe to repeat.

    CloudFormation's requests are answered by their ResponseURL, any other event with the migrations
    that were applied.

    Raises:
        SettingError: a setting is missing or invalid, or a queue exists with other properties.
        MigrationFailed: the schema cannot be brought up to date.
        LedgerUnavailable, QueueUnavailable: PostgreSQL or the broker is unreachable.
        OSError: CloudFormation's answer cannot be delivered, so that Lambda tries again.
    """
    if custom_resource.is_request(event):
        return custom_resource.answer(event, context, bring_up_to_date)
    return bring_up_to_date()


def bring_up_to_date() -> dict[str, Any]:
    """Apply the migrations that are missing, and return their names; declare the queues.

    Raises:
        SettingError, MigrationFailed, LedgerUnavailable, QueueUnavailable: as `handler`.
    """
    settings = start()
    database_url = needed(settings.database_url, "DATABASE_URL")
    rabbitmq_url = None  # the stack itself makes the queues of SQS
    if settings.sqs_queue_url is None:
        rabbitmq_url = needed(settings.rabbitmq_url, "RABBITMQ_URL")
    applied = migrate(
        database_url,
        login=database_login(settings),
        with_roles=settings.database_roles,
        iam=settings.database_auth == "iam",
    )
    if rabbitmq_url is not None:
        declare(rabbitmq_url, settings.queue_type)
    logger.info("ledger and queues are up to date", extra={"applied": applied})
    return {"applied": applied}
