"""What is not all right: each concern in words, since when, and where it is solved. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from functions.admin import addresses
from functions.admin.dashboard.health import Health
from functions.admin.web import formatting
from shared import health as rules
from shared.health import Status
from shared.ledger.callbacks import CallbackCounts
from shared.ledger.heartbeats import Heartbeat
from shared.ledger.pauses import Pause
from shared.ledger.rows import Counts
from shared.ledger.runs import Run, RunState

SERVERS, STORAGE = "#health", "#space"
"""Cards of the dashboard."""

RUNS = {"scrub": "Reading stored files again", "reconcile": "The comparison with the bucket"}


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing that is not all right.

    Attributes:
        text: what it is.
        url: where it is solved, or seen.
        since: when it began (aware), None if unknown.
        bad: files are affected; otherwise it only may delay them.
    """

    text: str
    url: str
    since: datetime | None = None
    bad: bool = True


@dataclass(frozen=True, slots=True)
class Findings:
    """What the dashboard has read.

    Attributes:
        now: the time (aware).
        counts: of objects.
        failed_since: when the oldest of the failed objects failed.
        problems: stored files that are damaged, missing or unreadable.
        problems_since: when the first of them was found.
        oldest: seconds that the oldest queued object has waited.
        beats: the last heartbeats, the latest first.
        pauses: of the source and the storages.
        receiver_pauses: of the callbacks' receiver.
        callbacks: not delivered.
        undelivered_since: when the oldest undelivered callback was recorded.
        runs: the newest of each kind.
        servers: how they answered.
        nearly_full: the storage has little room.
        readable: its folder can be read.
    """

    now: datetime
    counts: Counts
    failed_since: datetime | None
    problems: int
    problems_since: datetime | None
    oldest: float | None
    beats: Sequence[Heartbeat]
    pauses: Sequence[Pause]
    receiver_pauses: Sequence[Pause]
    callbacks: CallbackCounts
    undelivered_since: datetime | None
    runs: Sequence[Run]
    servers: Sequence[Health]
    nearly_full: bool
    readable: bool


def concerns(found: Findings) -> list[Concern]:
    """Return what is not all right, what affects files first."""
    every = [
        *_servers(found),
        *_paused(found),
        *_processes(found),
        *_objects(found),
        *_callbacks(found),
        *_runs(found),
    ]
    return sorted(every, key=lambda concern: not concern.bad)


def _servers(found: Findings) -> Iterator[Concern]:
    for server in found.servers:
        if not server.ok:
            # The cache only counts requests: without it they are counted elsewhere.
            bad = server.name != "Cache"
            yield Concern(f"{server.name}: {server.detail}", SERVERS, server.since, bad)
    if not found.readable:
        yield Concern("The storage folder can't be read", STORAGE)
    elif found.nearly_full:
        yield Concern("The storage is nearly full", STORAGE, bad=False)


def _paused(found: Findings) -> Iterator[Concern]:
    queued = f"{addresses.LIST.url()}?state=queued"
    for pause in found.pauses:
        part, _, machine = pause.part.partition(":")
        who = "The source is paused" if part == "source" else f"The storage of {machine} is paused"
        probe = f"next probe in {formatting.span(pause.probe_in)}" if pause.probe_in > 0 else ""
        text = f"{who}: {pause.reason}. Objects wait and use up no attempts"
        yield Concern(f"{text}; {probe}" if probe else text, queued, pause.since)
    for pause in found.receiver_pauses:
        text = f"The receiver of callbacks is paused: {pause.reason}. Callbacks wait"
        yield Concern(text, f"{addresses.CALLBACKS.url()}?state=pending", pause.since, bad=False)


def _processes(found: Findings) -> Iterator[Concern]:
    waited = found.oldest or 0.0
    queued = f"{addresses.LIST.url()}?state=queued"
    scheduler = rules.scheduler(found.beats, found.now)
    worker = rules.worker(found.beats, waited, found.now)
    delivery = rules.delivery(waited, found.now)
    if scheduler.status is not Status.OK:
        yield Concern(f"Scheduler: {scheduler.reason}", SERVERS, scheduler.since)
    if worker.status is not Status.OK:
        yield Concern(f"Worker: {worker.reason}", queued, worker.since)
    elif delivery.status is not Status.OK and not found.pauses:
        text = f"The oldest queued object has waited {formatting.span(waited)}"
        yield Concern(text, queued, delivery.since, bad=False)


def _objects(found: Findings) -> Iterator[Concern]:
    files = addresses.LIST.url()
    if number := found.counts.failed:
        noun = "object has" if number == 1 else "objects have"
        yield Concern(
            f"{formatting.count(number)} {noun} failed", f"{files}?state=failed", found.failed_since
        )
    if number := found.problems:
        noun = "stored file is" if number == 1 else "stored files are"
        text = f"{formatting.count(number)} {noun} damaged, missing or unreadable"
        yield Concern(text, f"{files}?verified=problem", found.problems_since)


def _callbacks(found: Findings) -> Iterator[Concern]:
    if number := found.callbacks.undelivered:
        noun = "callback is" if number == 1 else "callbacks are"
        text = f"{formatting.count(number)} {noun} undelivered"
        yield Concern(text, addresses.CALLBACKS.url(), found.undelivered_since, bad=False)


def _runs(found: Findings) -> Iterator[Concern]:
    for run in found.runs:
        name = RUNS[run.kind]
        if run.state is RunState.FAILED:
            yield Concern(f"{name} failed: {run.error}", SERVERS, run.finished_at, bad=False)
        elif run.state is RunState.RUNNING and run.error:
            yield Concern(f"{name} waits: {run.error}", SERVERS, run.begun_at, bad=False)
