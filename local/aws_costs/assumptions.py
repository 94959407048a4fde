"""What is assumed of the work: how long things take, how many bytes they have."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """How much there is to copy.

    Attributes:
        files: requests in a month, sent evenly, each for an object of its own.
        object_bytes: mean size of an object.
        months: for which files of that number are stored at the end of the month that is paid for.
    """

    files: float
    object_bytes: float = 100_000
    months: float = 1

    @property
    def stored(self) -> float:
        """Return how many files are stored at the end of the month."""
        return self.files * self.months


def _assumed(value: float, about: str) -> Any:
    return field(default=value, metadata={"about": about})


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What is assumed of the work; `about` of a field says what it is."""

    ingest_seconds: float = _assumed(0.06, "one request at ingest")
    batch_seconds: float = _assumed(0.5, "an invocation of the worker, whatever it copies")
    object_seconds: float = _assumed(0.01, "each object of it more, with its 32 copies at once")
    requeue_seconds: float = _assumed(0.2, "a run of requeue")
    idle_seconds: float = _assumed(0.05, "a scheduled run that has nothing to do")
    scrub_seconds: float = _assumed(0.005, "scrub opens a file and records the result")
    scrub_bytes_per_second: float = _assumed(200e6, "bytes that scrub reads and hashes in a second")
    reconcile_seconds: float = _assumed(0.002, "reconcile compares an object")
    event_seconds: float = _assumed(0.03, "an invocation of s3_events")
    event_object_seconds: float = _assumed(0.002, "each event of it more")
    notify_seconds: float = _assumed(0.02, "notify delivers a callback, several at once")
    other_seconds: float = _assumed(5, "an invocation of migrate, or of another function")
    other_calls: float = _assumed(10, "invocations of migrate, or of another function")
    stats_requests: float = _assumed(43_800, "requests for the counts, one a minute")
    stats_seconds: float = _assumed(0.03, "one of them")
    admin_requests: float = _assumed(1_000, "pages of the admin")
    admin_seconds: float = _assumed(0.3, "one of them")
    environment_hours: float = _assumed(2, "hours until an execution environment is replaced")
    write_requests: float = _assumed(8, "requests of 4 KiB to EFS for a file, beside its content")
    read_requests: float = _assumed(3, "the same for a file that scrub or reconcile looks at")
    row_bytes: float = _assumed(950, "a row of the ledger with its indexes and attempt")
    wal_bytes: float = _assumed(4_213, "PostgreSQL's log of a file")
    ledger_bytes: float = _assumed(10_000, "between functions and ledger for a file")
    platform_log_bytes: float = _assumed(500, "Lambda's own lines for an invocation")
    access_log_bytes: float = _assumed(300, "the API's access log for a request")
    line_bytes: float = _assumed(330, "a line of level INFO, one for each object")
    ingest_metric_bytes: float = _assumed(780, "the metrics' lines of a request at ingest")
    batch_metric_bytes: float = _assumed(1_800, "those of an invocation of the worker")
    object_metric_bytes: float = _assumed(60, "those of each object of it more")
    gauge_bytes: float = _assumed(4_300, "those of a run of requeue")
    request_metric_bytes: float = _assumed(260, "those of any other request")
    metrics: float = _assumed(31, "metrics that the functions write themselves")
    callback_metrics: float = _assumed(5, "more of them with callbacks")
    event_metrics: float = _assumed(2, "more of them with S3 events")
    response_bytes: float = _assumed(600, "an answer of the API")
    callback_bytes: float = _assumed(2_000, "a callback and its answer")
    call_bytes: float = _assumed(2_000, "a call of Secrets Manager, SQS or Lambda from the VPC")
    broker_bytes: float = _assumed(1e9, "messages and logs on a broker's disk")

    def replaced(self, given: Mapping[str, str]) -> Self:
        """Return these with other values.

        Raises:
            ValueError: there is no such assumption, or the value is no number.
        """
        names = {one.name for one in dataclasses.fields(self)}
        if unknown := given.keys() - names:
            raise ValueError(f"there is no assumption named {min(unknown)}")
        return dataclasses.replace(self, **{name: float(value) for name, value in given.items()})

    def table(self) -> list[tuple[str, str, str]]:
        """Return name, value and meaning of each."""
        return [
            (one.name, f"{getattr(self, one.name):,.15g}", one.metadata["about"])
            for one in dataclasses.fields(self)
        ]
