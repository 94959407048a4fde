"""The adapters that the settings choose; only the chosen ones' drivers are imported.

Imports are most of a cold start, and ingest must not pay for the worker's. Nothing connects here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.announcer import Announcer
    from shared.cache import Cache
    from shared.queue import Queue
    from shared.settings import Settings
    from shared.transfer import ObjectSource

# ruff: noqa: PLC0415 — to import late is what this module is for


def cache(settings: Settings) -> Cache:
    """Gives memcached when `MEMCACHED_URL` is set, this process's own memory otherwise."""
    if settings.memcached_url is None:
        from shared.memory_cache import MemoryCache

        return MemoryCache()
    from shared.memcached import MemcachedCache

    return MemcachedCache(settings.memcached_url)


def announcer(settings: Settings) -> Announcer:
    """Gives the announcer that fits: none without a broker, a blocking one on Lambda.

    A Lambda sandbox freezes as soon as its function returns, so there the message must be out by
    then. Elsewhere one background publisher serves all threads of the process.
    """
    if settings.rabbitmq_url is None:
        from shared.announcer import SilentAnnouncer

        return SilentAnnouncer()
    if settings.on_lambda:
        from shared.rabbitmq.blocking import BlockingAnnouncer

        return BlockingAnnouncer(settings.rabbitmq_url)
    from shared.rabbitmq.background import BackgroundAnnouncer

    return BackgroundAnnouncer(settings.rabbitmq_url)


def queue(settings: Settings) -> Queue:
    """Gives the queue that `RABBITMQ_URL` names; without one, the queue that is not there."""
    if settings.rabbitmq_url is None:
        from shared.queue import NoQueue

        return NoQueue()
    from shared.rabbitmq.broker_queue import BrokerQueue

    return BrokerQueue(settings.rabbitmq_url)


def source(settings: Settings) -> ObjectSource:
    """Gives the source that `SOURCE` names.

    Raises:
        SettingError: one of the settings that it needs is missing.
    """
    if settings.source == "nasa":
        from shared.sources.nasa import NasaSource

        return NasaSource(settings)
    from shared.sources.s3 import S3Source

    return S3Source(settings)
