"""Invoked by a person after a deployment: brings the ledger up to date and declares the queues."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from shared.ledger.migrate import migrate
from shared.rabbitmq.broker_queue import declare
from shared.settings import needed
from shared.startup import start

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger(__name__)


def handler(event: Mapping[str, Any], context: object) -> dict[str, list[str]]:  # noqa: ARG001
    """Answers any event with the migrations that it applied; safe to repeat.

    Raises:
        SettingError: a setting is missing or wrong, or a queue exists with other properties.
        LedgerUnavailable, QueueUnavailable: PostgreSQL or the broker is out of reach.
    """
    settings = start(required=("DATABASE_URL", "RABBITMQ_URL"))
    applied = migrate(needed(settings.database_url, "DATABASE_URL"))
    declare(needed(settings.rabbitmq_url, "RABBITMQ_URL"), settings.queue_type)
    logger.info("ledger and queues are up to date", extra={"applied": applied})
    return {"applied": applied}
