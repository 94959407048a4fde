"""Our side of the comparisons: the only module here that imports the parts themselves."""

from __future__ import annotations

from functions.admin.sessions import COOKIE, Session, Sessions
from local import function_url
from shared import rmq_event
from shared.http import Request, Response
from shared.log import JsonFormatter
from shared.memcached import MemcachedCache
from shared.messages import SyncMessage
from shared.rabbitmq.background import BackgroundAnnouncer as BackgroundPublisher
from shared.rabbitmq.topology import QUEUE
from shared.rate_limit import Limited, RateLimiter
from shared.setting_kinds import RateLimit
from shared.settings import Settings
from shared.sources.s3 import S3Source
from shared.transfer import Wanted
from shared.validation import SyncRequest, parse

__all__ = [
    "COOKIE",
    "QUEUE",
    "BackgroundPublisher",
    "JsonFormatter",
    "Limited",
    "MemcachedCache",
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

publish = BackgroundPublisher.announce
