"""Composition root of s3_events: built once per process, kept while its environment is warm."""

from __future__ import annotations

import logging
from functools import partial

from functions.s3_events.endpoint import Access, Endpoint
from functions.s3_events.service import Config, S3Events
from shared import adapters
from shared.config.process_cache import once_per_process
from shared.config.settings import needed
from shared.config.shutdown import close_at_exit
from shared.config.startup import settings
from shared.http.rate_limit import RateLimiter
from shared.http.refusal_log import RefusalLog
from shared.queue.publisher import FLUSH_SECONDS

logger = logging.getLogger(__name__)


def prepare() -> None:
    """Build what an event needs, unless none can come.

    A process that is no function of Lambda gets events by HTTP alone, and that needs a secret.

    Raises:
        SettingError: a setting is missing or invalid.
    """
    if settings().on_lambda:
        s3_events()
    endpoint()


@once_per_process
def s3_events() -> S3Events:
    """Return this process's service.

    Raises:
        SettingError: a setting is missing or invalid.
    """
    ours = settings()
    bucket = needed(ours.bucket, "AWS_S3_BUCKET_NAME")
    ledger = adapters.ledger(ours, "s3_events")
    publisher = adapters.publisher(ours)
    elsewhere = RefusalLog(_log_elsewhere)
    # Without a broker no message delivers the row: it is due for requeue at once.
    config = Config(bucket, ours.delivery_seconds if ours.has_queue else 0)
    close_at_exit(partial(publisher.close, FLUSH_SECONDS), ledger.close, elsewhere.close)
    return S3Events(config, ledger, publisher, elsewhere)


@once_per_process
def endpoint() -> Endpoint | None:
    """Return what answers HTTP requests, None where no secret is set.

    Raises:
        SettingError: a setting is missing or invalid.
    """
    ours = settings()
    if ours.s3_events_secret is None:
        return None
    ledger = adapters.ledger(ours)
    cache = adapters.cache(ours, ledger)
    close_at_exit(ledger.close, cache.close)
    access = Access(
        secret=ours.s3_events_secret,
        unsigned=ours.rate_limit_unsigned,
        trusted_proxies=ours.trusted_proxies,
        limit_status=ours.rate_limit_status,
    )
    return Endpoint(access, RateLimiter(cache), s3_events())


@once_per_process
def refusals() -> RefusalLog:
    """Return this process's log of refused requests."""
    log = RefusalLog(_log_refused)
    close_at_exit(log.close)
    return log


def _log_refused(address: str, reason: str, count: int) -> None:
    logger.info("events refused", extra={"client": address, "reason": reason, "count": count})


def _log_elsewhere(bucket: str, reason: str, count: int) -> None:
    logger.warning("events ignored", extra={"bucket": bucket, "reason": reason, "count": count})
