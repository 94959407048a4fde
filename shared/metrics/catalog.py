"""Every metric, by the name that it has on /metrics and in CloudWatch: what it counts, and how.

What happens in a process is counted there, see `shared.metrics.tally`. What is true of the whole
service (`GAUGES`) is read where it is kept, at the moment when it is asked for.

Labels have few values: a class of reasons, never the text of one, nor a name or an address.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Kind(enum.StrEnum):
    """What a metric is, in Prometheus's words."""

    COUNTER = "counter"
    """It only grows."""
    HISTOGRAM = "histogram"
    """Durations, counted by how long they were."""
    GAUGE = "gauge"
    """It is as it is now."""


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """One metric; compared by identity, so that it is a cheap key.

    Attributes:
        name: its name, with the unit at the end.
        kind: what it is.
        help: what it counts, for people.
        labels: the names of its labels.
        buckets: the upper bounds of a histogram's buckets, in seconds, ascending.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
"""From a small object on a fast disk to one that waited for an hour."""


def _counter(name: str, about: str, *labels: str) -> Metric:
    return Metric(name, Kind.COUNTER, about, labels)


def _histogram(name: str, about: str, *labels: str) -> Metric:
    return Metric(name, Kind.HISTOGRAM, about, labels, SECONDS)


def _gauge(name: str, about: str, *labels: str) -> Metric:
    return Metric(name, Kind.GAUGE, about, labels)


REQUESTS = _counter(
    "sync_requests_total",
    "Requests answered, by function (ingest, stats, admin), HTTP status and reason; the reason is"
    " the class of the refusal, and ok where there is none",
    "function",
    "status",
    "reason",
)
RATE_LIMITED = _counter("sync_rate_limited_total", "Requests refused, by limit", "limit")
MESSAGES_CONFIRMED = _counter(
    "sync_messages_confirmed_total", "Messages that the broker took charge of (publisher confirms)"
)
MESSAGES_LOST = _counter(
    "sync_messages_lost_total",
    "Messages that did not arrive and are left to requeue, by reason",
    "reason",
)
DEAD_LETTERS = _counter(
    "sync_dead_letters_total", "Unreadable messages that a worker moved to the dead letters"
)
ATTEMPTS = _counter(
    "sync_attempts_total",
    "Attempts that ended, by outcome (synced, retry, failed, or spared by a pause) and class of"
    " reason; where synced: ok, or in_place for a file that was there already",
    "outcome",
    "reason",
)
BYTES = _counter("sync_bytes_total", "Bytes of the files put in place")
CACHE_ERRORS = _counter("sync_cache_errors_total", "Times that memcached did not answer")
DATABASE_ERRORS = _counter("sync_database_errors_total", "Times that PostgreSQL did not answer")
OBJECT_SECONDS = _histogram("sync_object_seconds", "Time from request to file, retries included")
STAGE_SECONDS = _histogram(
    "sync_stage_seconds",
    "Time of each stage of an object: accepted (request to recorded and handed to the publisher),"
    " delivered (recorded to claimed, first attempts), downloaded, durable (content on disk),"
    " placed (name on disk), recorded (synced in the ledger)",
    "stage",
)

TALLIED = (
    REQUESTS,
    RATE_LIMITED,
    MESSAGES_CONFIRMED,
    MESSAGES_LOST,
    DEAD_LETTERS,
    ATTEMPTS,
    BYTES,
    CACHE_ERRORS,
    DATABASE_ERRORS,
    OBJECT_SECONDS,
    STAGE_SECONDS,
)
"""What processes count as it happens."""

UP = _gauge("sync_up", "1 if a part answered in time when asked: database, queue, storage", "part")
OBJECTS = _gauge("sync_objects", "Objects by state: queued, synced, failed, dismissed", "state")
STORED_BYTES = _gauge("sync_stored_bytes", "Bytes of all synced objects")
OLDEST_QUEUED = _gauge(
    "sync_oldest_queued_seconds", "How long the oldest queued object has waited; 0 if none waits"
)
PAUSED = _gauge(
    "sync_paused", "1 while a fault pauses all objects: of the source or of a storage", "part"
)
ALIVE = _gauge(
    "sync_processes_alive",
    "Processes with a recent heartbeat: worker, scheduler; idle workers may be silent",
    "component",
)
QUEUE_MESSAGES = _gauge(
    "sync_queue_messages", "Messages that wait in a queue: sync, and the dead letters", "queue"
)
VERIFIED = _gauge(
    "sync_verified_objects",
    "Objects by what the last verification of their files found: ok, damaged, missing, unreadable,"
    " replaced",
    "result",
)
VERIFIED_RATIO = _gauge(
    "sync_verified_ratio", "Share of the synced objects whose files were verified as ok; 0 to 1"
)
STORAGE_FREE = _gauge("sync_storage_free_bytes", "Bytes that the storage has free for the service")
STORAGE_SIZE = _gauge("sync_storage_size_bytes", "Bytes that the storage's file system has")
STORAGE_FREE_INODES = _gauge(
    "sync_storage_free_inodes", "Inodes free on the storage; absent where it does not count them"
)
STORAGE_INODES = _gauge("sync_storage_inodes", "Inodes of the storage's file system; as above")

GAUGES = (
    UP,
    OBJECTS,
    STORED_BYTES,
    OLDEST_QUEUED,
    PAUSED,
    ALIVE,
    QUEUE_MESSAGES,
    VERIFIED,
    VERIFIED_RATIO,
    STORAGE_FREE,
    STORAGE_SIZE,
    STORAGE_FREE_INODES,
    STORAGE_INODES,
)
"""What is read when it is asked for."""

ALL = (*TALLIED, *GAUGES)


@dataclass(frozen=True, slots=True)
class Sample:
    """The value of a gauge.

    Attributes:
        metric: one of `GAUGES`.
        value: as it is now.
        labels: the values of its labels, in their order.
    """

    metric: Metric
    value: float
    labels: tuple[str, ...] = ()
