"""Which adapter the settings choose, for every outside system; only its driver is imported.

Imports are most of a cold start, and ingest must not pay for the worker's. Nothing connects here.
Every function raises `SettingError` if a setting that its adapter needs is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from shared.cache.interface import Cache
from shared.config.parsers import is_address
from shared.config.settings import Settings, environment, needed
from shared.database_login import database_login
from shared.ledger.database import Database
from shared.ledger.ledger import QUERIES, Ledger
from shared.ledger.roles import acting_as
from shared.queue.interface import Queue
from shared.queue.publisher import Publisher

if TYPE_CHECKING:
    from shared.sources.interface import ObjectSource, SourceProbe
    from shared.sources.listing import Listing
    from shared.storage.local import LocalStorage

_direct_queues: list[Queue] = []
"""The queues of the blocks of `without_broker` that run, the innermost last."""


def database(settings: Settings, *queries: Path, function: str | None = None) -> Database:
    """Return the database of `DATABASE_URL`.

    Args:
        settings: the settings.
        queries: files of named SQL blocks.
        function: whose role to act as, with `DATABASE_ROLES`; by default the URL's user.
    """
    url = needed(settings.database_url, "DATABASE_URL")
    login = database_login(settings)
    if function and settings.database_roles:
        url = acting_as(url, function)
    return Database(url, *queries, login=login)


def ledger(settings: Settings, function: str | None = None) -> Ledger:
    """Return the ledger in the database of `DATABASE_URL`.

    Args:
        settings: the settings.
        function: as of `database`.
    """
    with_callbacks = settings.callback_url is not None
    return Ledger(database(settings, *QUERIES, function=function), with_callbacks=with_callbacks)


def storage(settings: Settings, ledger: Ledger) -> LocalStorage:
    """Return the storage below `STORAGE_PATH`, which belongs to the ledger."""
    from shared.storage.attributes import Attributes
    from shared.storage.local import LocalStorage

    return LocalStorage(
        needed(settings.storage_path, "STORAGE_PATH"),
        owner=ledger.installation,
        attributes=Attributes(
            settings.file_mode,
            settings.folder_mode,
            source_time=settings.file_mtime == "source",
            extended=settings.file_xattrs,
        ),
    )


def source(settings: Settings) -> ObjectSource:
    """Return the source that `SOURCE` names."""
    if settings.source == "nasa":
        from shared.sources.nasa import NasaSource

        return NasaSource(settings)
    from shared.sources.s3.source import S3Source

    return S3Source(settings)


def listing(settings: Settings) -> Callable[[], Listing] | None:
    """Return what makes a listing of the bucket, None if `SOURCE` has nothing to list."""
    if settings.source == "nasa":
        return None
    needed(settings.bucket, "AWS_S3_BUCKET_NAME")

    def connect() -> Listing:
        from shared.sources.s3.listing import S3Listing

        return S3Listing(settings)

    return connect


def source_probe(settings: Settings, seconds: float) -> SourceProbe | None:
    """Return how to see whether the source that `SOURCE` names answers, without its driver.

    Args:
        settings: the source's.
        seconds: how long it may take.

    Returns:
        The probe; None if the settings do not name a server, as on Lambda.
    """
    from shared.sources.interface import SourceProbe
    from shared.sources.probe import probe

    if settings.source == "nasa":
        return SourceProbe("NASA", partial(probe, settings.nasa_api_url, seconds))
    from shared.sources.s3.endpoint import endpoint

    find_url = endpoint(settings)
    if find_url is None:
        return None
    # The variables, and their order, are boto3's.
    bundles = map(environment().get, ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"))
    ca_bundle = next(filter(None, bundles), None)
    return SourceProbe("S3", lambda: probe(find_url(), seconds, ca_bundle))


def cache(settings: Settings, ledger: Ledger) -> Cache:
    """Return memcached if `MEMCACHED_URL` is set, else PostgreSQL on Lambda, else memory.

    Lambda starts one process for each request that it answers at the same time: counters in their
    memory would limit none of them. Even one host of memcached is looked up, unless it is an
    address: its name may be that of several servers.
    """
    if settings.memcached_url is None:
        if settings.on_lambda:
            return _counters(ledger)
        from shared.cache.memory import MemoryCache

        return MemoryCache()
    from shared.cache.memcached import MemcachedCache

    places = settings.memcached_url
    if len(places) == 1 and is_address(places[0][0]):
        return MemcachedCache(places[0])
    from shared.cache.spread import SpreadCache

    return SpreadCache(places, MemcachedCache)


def lasting_cache(settings: Settings, ledger: Ledger) -> Cache:
    """Return counters for limits that must hold while memcached, or PostgreSQL, is unreachable."""
    from shared.cache.fallback import FallbackCache
    from shared.cache.memory import MemoryCache

    memcached = [] if settings.memcached_url is None else [cache(settings, ledger)]
    return FallbackCache([*memcached, _counters(ledger), MemoryCache()])


def _counters(ledger: Ledger) -> Cache:
    """Return counters in the ledger's database, over its connections: each one costs memory."""
    from shared.cache.postgres import QUERIES as COUNTERS
    from shared.cache.postgres import PostgresCache

    return PostgresCache(ledger.database.with_queries(COUNTERS))


def publisher(settings: Settings) -> Publisher:
    """Return the publisher that fits: none without a queue, a blocking one on Lambda.

    An execution environment of Lambda is frozen as soon as its function returns, so the message
    must be sent before that. Elsewhere one background publisher serves all threads of a process.
    """
    if settings.sqs_queue_url is not None:
        from shared.queue.blocking import BlockingPublisher
        from shared.queue.sqs.sender import SqsSender

        return BlockingPublisher(SqsSender(settings.sqs_queue_url))
    if settings.rabbitmq_url is None:
        from shared.queue.publisher import NullPublisher

        return NullPublisher()
    if settings.on_lambda:
        from shared.queue.blocking import BlockingPublisher
        from shared.queue.rabbitmq.sender import BrokerSender

        return BlockingPublisher(BrokerSender(settings.rabbitmq_url))
    from shared.queue.rabbitmq.background import BackgroundPublisher

    return BackgroundPublisher(settings.rabbitmq_url)


def queue(settings: Settings) -> Queue:
    """Return the queue of `SQS_QUEUE_URL` or `RABBITMQ_URL`; without one, see `without_broker`."""
    if settings.sqs_queue_url is not None:
        from shared.queue.sqs.sqs_queue import SqsQueue

        return SqsQueue(settings.sqs_queue_url)
    if settings.rabbitmq_url is None:
        from shared.queue.interface import NullQueue

        if settings.on_lambda:
            # Nothing can deliver directly there, so that rows would wait forever.
            needed(settings.rabbitmq_url, "RABBITMQ_URL")
        return _direct_queues[-1] if _direct_queues else NullQueue()
    from shared.queue.rabbitmq.broker_queue import BrokerQueue

    return BrokerQueue(settings.rabbitmq_url)


@contextmanager
def without_broker(direct: Queue) -> Iterator[None]:
    """Make `direct` this process's queue where no broker is set up, for as long as the block runs.

    Only a process that runs both requeue and the worker can deliver directly: the local scheduler.
    """
    _direct_queues.append(direct)
    try:
        yield
    finally:
        _direct_queues.remove(direct)
