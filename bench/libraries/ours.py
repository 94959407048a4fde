"""Our side of the comparisons: the only module here that imports the parts themselves."""

from __future__ import annotations

from functions.admin.web.sessions import COOKIE, Session, Sessions
from local.http import function_url
from shared.cache.memcached import MemcachedCache
from shared.cache.postgres import QUERIES as COUNTERS
from shared.cache.postgres import PostgresCache
from shared.config.parsers import RateLimit
from shared.config.settings import Settings
from shared.domain import Wanted
from shared.http.event import Request, Response
from shared.http.rate_limit import Limited, RateLimiter
from shared.http.validation import SyncRequest, parse
from shared.ledger.database import Database
from shared.ledger.ledger import Ledger
from shared.ledger.rows import NewObject
from shared.log import JsonFormatter
from shared.queue import rmq_event
from shared.queue.messages import SyncMessage
from shared.queue.rabbitmq.background import BackgroundPublisher
from shared.queue.rabbitmq.topology import QUEUE
from shared.sources.s3.source import S3Source

__all__ = [
    "COOKIE",
    "COUNTERS",
    "QUEUE",
    "BackgroundPublisher",
    "Database",
    "JsonFormatter",
    "Ledger",
    "Limited",
    "MemcachedCache",
    "NewObject",
    "PostgresCache",
    "RateLimit",
    "RateLimiter",
    "Request",
    "Response",
    "S3Source",
    "Session",
    "Sessions",
    "Settings",
    "SyncMessage",
    "SyncRequest",
    "Wanted",
    "function_url",
    "parse",
    "publish",
    "rmq_event",
]

publish = BackgroundPublisher.publish
