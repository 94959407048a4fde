"""Composition root of ingest: built once per process, kept while a sandbox is warm."""

from __future__ import annotations

import atexit

from functions.ingest.service import Ingest, Policy
from shared import adapters
from shared.config.process_cache import once_per_process
from shared.config.settings import needed
from shared.config.startup import start
from shared.http.rate_limit import RateLimiter
from shared.ledger.ledger import Ledger
from shared.queue.publisher import FLUSH_SECONDS


@once_per_process
def ingest() -> Ingest:
    """Return this process's service.

    Raises:
        SettingError: a setting is missing or wrong.
    """
    settings = start(required=("SECRET_KEY", "DATABASE_URL"))
    service = Ingest(
        Policy(
            keys=settings.signing_keys,
            max_body_bytes=settings.max_body_bytes,
            per_signature=settings.rate_limit_post,
            per_client=settings.rate_limit_client,
            unsigned=settings.rate_limit_unsigned,
            trusted_proxies=settings.trusted_proxies,
            # Without a broker nothing publishes the row: it is due for the scheduler at once.
            delivery_seconds=settings.delivery_seconds if settings.rabbitmq_url else 0,
        ),
        RateLimiter(adapters.cache(settings)),
        Ledger.at(needed(settings.database_url, "DATABASE_URL")),
        adapters.publisher(settings),
    )
    atexit.register(service.close, FLUSH_SECONDS)
    return service
