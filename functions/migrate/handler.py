"""Invoked by a person after a deployment: brings the ledger up to date and declares the queues."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from shared.config.settings import needed
from shared.config.startup import start
from shared.ledger.migrate import migrate
from shared.queue.rabbitmq.broker_queue import declare

logger = logging.getLogger(__name__)


def handler(event: Mapping[str, Any], context: object) -> dict[str, list[str]]:
    """Answer any event with the migrations that it applied; safe to repeat.

    Raises:
        SettingError: a setting is missing or invalid, or a queue exists with other properties.
        MigrationFailed: the schema cannot be brought up to date.
        LedgerUnavailable, QueueUnavailable: PostgreSQL or the broker is unreachable.
    """
    settings = start()
    database_url = needed(settings.database_url, "DATABASE_URL")
    rabbitmq_url = needed(settings.rabbitmq_url, "RABBITMQ_URL")
    applied = migrate(database_url)
    declare(rabbitmq_url, settings.queue_type)
    logger.info("ledger and queues are up to date", extra={"applied": applied})
    return {"applied": applied}
