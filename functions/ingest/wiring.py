"""Composition root of ingest: built once per process, kept while its environment is warm."""

from __future__ import annotations

import logging
from functools import partial

from functions.ingest.service import Config, Ingest
from shared import adapters
from shared.config.process_cache import once_per_process
from shared.config.shutdown import close_at_exit
from shared.config.startup import start
from shared.http.rate_limit import RateLimiter
from shared.http.refusal_log import RefusalLog
from shared.queue.publisher import FLUSH_SECONDS

logger = logging.getLogger(__name__)


@once_per_process
def ingest() -> Ingest:
    """Return this process's service.

    Raises:
        SettingError: a setting is missing or invalid.
    """
    settings = start()
    ledger = adapters.ledger(settings, "ingest")
    cache = adapters.cache(settings, ledger)
    publisher = adapters.publisher(settings)
    service = Ingest(
        Config(
            keys=settings.signing_keys,
            max_body_bytes=settings.max_body_bytes,
            per_signature=settings.rate_limit_post,
            per_client=settings.rate_limit_client,
            unsigned=settings.rate_limit_unsigned,
            trusted_proxies=settings.trusted_proxies,
            # Without a broker no message delivers the row: it is due for requeue at once.
            delivery_seconds=settings.delivery_seconds if settings.has_queue else 0,
            limit_status=settings.rate_limit_status,
        ),
        RateLimiter(cache),
        ledger,
        publisher,
    )
    close_at_exit(partial(publisher.close, FLUSH_SECONDS), ledger.close, cache.close)
    return service


@once_per_process
def refusals() -> RefusalLog:
    """Return this process's log of refused requests."""
    log = RefusalLog(_log_refused)
    close_at_exit(log.close)
    return log


def _log_refused(address: str, reason: str, count: int) -> None:
    logger.info("requests refused", extra={"client": address, "reason": reason, "count": count})
