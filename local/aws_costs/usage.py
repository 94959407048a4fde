"""How often and how long functions run, and what they move, in a month."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from local.aws_costs.assumptions import Assumptions, Workload
from local.aws_costs.inventory import (
    HOURS,
    SECONDS,
    SQS_POLLERS,
    Batching,
    Function,
    Inventory,
)

DAYS = HOURS / 24
RECEIVED = 10
"""Messages that one request to SQS sends, receives or deletes, at most."""
POLL_SECONDS = 20
"""How long an empty request to SQS waits for messages (Lambda developer guide)."""


@dataclass(frozen=True, slots=True)
class Runs:
    """The invocations of one function.

    Attributes:
        calls: their number.
        seconds: that they take together.
        log_bytes: that they log.
    """

    calls: float
    seconds: float
    log_bytes: float = 0.0


def batches(files: float, one: float, each: float, batching: Batching) -> float:
    """Return how many batches messages come in that are sent evenly.

    A batch holds what arrived while the one before it was worked on, or what arrives within the
    window: the more there are, the larger it gets.

    ===================  ==================================
    messages             a batch
    ===================  ==================================
    few                  one message
    one poller           what arrives while it is busy
    more than it can do  `batching.size`, and a backlog
    several pollers      what arrives within the window
    ===================  ==================================

    Lambda adds pollers of an SQS queue before their batches grow, so that there only the window
    gathers.

    Args:
        files: messages in a month.
        one: seconds that a batch takes, whatever it holds.
        each: seconds more for each message in it.
        batching: how they are gathered.
    """
    rate = files / SECONDS / batching.pollers
    gathered = rate * batching.window_seconds
    if batching.pollers == 1:
        busy = rate * one / (1 - rate * each) if rate * each < 1 else math.inf
        gathered = max(gathered, busy)
    return files / min(max(gathered, 1.0), batching.size)


class Usage:
    """What a workload makes a stack do.

    Args:
        inventory: what the stack has.
        work: how much there is to copy.
        assumed: how long that takes.
        sqs: whether SQS holds the messages, or RabbitMQ.
        options: the stack's parameters.
    """

    def __init__(
        self,
        inventory: Inventory,
        work: Workload,
        assumed: Assumptions,
        *,
        sqs: bool,
        options: Mapping[str, str],
    ) -> None:
        self._work = work
        self._assumed = assumed
        self.sqs = sqs
        self.architecture = options.get("Architecture", "arm64")
        self.has_events = options.get("S3Events", "none") != "none"
        self.has_callbacks = bool(options.get("CallbackUrl"))
        self.is_elsewhere = bool(options.get("SourceBucketRegion"))
        self.scrubbed = _in_a_month(work.stored, options.get("ScrubDays", "0"))
        self.reconciled = _in_a_month(work.stored, options.get("ReconcileDays", "0"))
        a = assumed
        self.batches = batches(
            work.files,
            a.batch_seconds,
            a.object_seconds,
            inventory.batching("sync_worker", sqs=sqs),
        )
        self.event_batches = batches(
            work.files * self.has_events,
            a.event_seconds,
            a.event_object_seconds,
            inventory.batching("s3_events", sqs=True),
        )
        self.functions = [(function, self._runs(function)) for function in inventory.functions]

    @property
    def requests(self) -> float:
        """Return the requests that the API answers."""
        answering = {"ingest", "stats", "admin"}
        return sum(runs.calls for function, runs in self.functions if function.name in answering)

    @property
    def starts(self) -> list[tuple[Function, float]]:
        """Return how many execution environments of each function start."""
        renewed = HOURS / self._assumed.environment_hours
        return [
            (function, min(runs.calls, math.ceil(runs.seconds / SECONDS) * renewed))
            for function, runs in self.functions
        ]

    @property
    def secret_calls(self) -> float:
        """Return how often secrets are fetched."""
        return sum(starts * function.secrets for function, starts in self.starts)

    @property
    def sqs_requests(self) -> float:
        """Return the requests to SQS: to send, receive and delete, and those that find nothing."""
        files = self._work.files
        found = 0.0
        for is_used, number in ((self.sqs, self.batches), (self.has_events, self.event_batches)):
            if is_used and number:
                each = min(files / number, RECEIVED)
                idle = max(0.0, SQS_POLLERS * SECONDS / POLL_SECONDS - files / each)
                found += files + 2 * files / each + idle
        return found

    def _runs(self, function: Function) -> Runs:  # noqa: C901 # a case for each function
        """Return a function's invocations."""
        a, files = self._assumed, self._work.files
        info = a.line_bytes * function.logs_info
        idle = function.runs * a.idle_seconds
        match function.name:
            case "ingest":
                found = Runs(files, files * a.ingest_seconds, files * a.ingest_metric_bytes)
            case "stats":
                found = self._answers(a.stats_requests, a.stats_seconds)
            case "admin":
                found = self._answers(a.admin_requests, a.admin_seconds)
            case "sync_worker":
                worked = self.batches * a.batch_seconds + files * a.object_seconds
                logged = self.batches * a.batch_metric_bytes + files * a.object_metric_bytes
                found = Runs(self.batches, worked, logged + files * info)
            case "requeue":
                logged = function.runs * (a.gauge_bytes + info)
                found = Runs(function.runs, function.runs * a.requeue_seconds, logged)
            case "scrub":
                each = a.scrub_seconds + self._work.object_bytes / a.scrub_bytes_per_second
                found = Runs(function.runs, idle + self.scrubbed * each)
            case "reconcile":
                found = Runs(function.runs, idle + self.reconciled * a.reconcile_seconds)
            case "s3_events":
                found = self._answers(self.event_batches, a.event_seconds)
                each = self.has_events * a.event_object_seconds
                found = replace(found, seconds=found.seconds + files * each)
            case "notify":
                # The worker starts it after each batch.
                calls = function.runs + self.batches
                worked = calls * a.idle_seconds + files * a.notify_seconds
                found = Runs(calls, worked, calls * (a.request_metric_bytes + 2 * info))
            case _ if function.runs:
                found = Runs(function.runs, idle)
            case _:
                found = Runs(a.other_calls, a.other_calls * a.other_seconds)
        logged = found.calls * a.platform_log_bytes + found.log_bytes
        return replace(found, log_bytes=logged)

    def _answers(self, calls: float, seconds: float) -> Runs:
        return Runs(calls, calls * seconds, calls * self._assumed.request_metric_bytes)


def _in_a_month(files: float, days: str) -> float:
    """Return how many files are looked at in a month, if each is once within these days."""
    return files * DAYS / float(days) if float(days) else 0.0
