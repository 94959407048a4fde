"""The progress of the work and what needs attention: `./sync status`.

The ledger, the service's address, the queue and the storage are queried at the same time, within a
few seconds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.at_once import Answer, ask_all
from local.client import Client
from local.environment import LocalEnvironment
from local.places import Places
from local.provisioning import require_ledger
from shared import adapters
from shared.config.settings import Settings
from shared.errors import ServiceError
from shared.health import (
    SILENT_SECONDS,
    Part,
    Status,
    callbacks,
    delivery,
    paused,
    scheduler,
    worker,
)
from shared.ledger.callbacks import PAUSE, CallbackCounts
from shared.ledger.heartbeats import Heartbeat
from shared.ledger.ledger import Ledger
from shared.ledger.overview import QUERIES, FailureReason, Overview, Progress
from shared.ledger.pauses import Pause
from shared.ledger.rows import Counts
from shared.ledger.selection import PROBLEMS, Verification

SECONDS = 8.0
"""Time limit of all queries together."""


@dataclass(frozen=True, slots=True)
class Work:
    """The state of the work in the ledger.

    Attributes:
        counts: objects by state.
        retrying: queued objects that wait for another attempt.
        oldest_seconds: how long the oldest queued object has waited, None if nothing waits.
        progress: what ended in the last minutes.
        failures: why objects failed, the most frequent reason first.
        verified: number of stored files by the result of their last verification.
        beats: the last heartbeat of every process.
        pauses: the pauses in effect.
        callbacks: those that are not delivered.
    """

    counts: Counts
    retrying: int
    oldest_seconds: float | None
    progress: Progress
    failures: Sequence[FailureReason]
    verified: Mapping[Verification, int]
    beats: Sequence[Heartbeat]
    pauses: Sequence[Pause]
    callbacks: CallbackCounts

    @property
    def alive(self) -> list[Heartbeat]:
        """The heartbeats of processes that are not presumed dead."""
        return [beat for beat in self.beats if beat.age <= SILENT_SECONDS]

    @property
    def eta_seconds(self) -> float | None:
        """Seconds until nothing is queued at the current rate, None if nothing is synced."""
        if not self.counts.queued:
            return 0.0
        rate = self.progress.per_second
        return self.counts.queued / rate if rate else None


@dataclass(frozen=True, slots=True)
class Space:
    """Free space on the storage's file system.

    Attributes:
        free_bytes: for an ordinary account.
        total_bytes: of the file system.
        free_inodes: files that can still be created, None if the file system sets no limit.
    """

    free_bytes: int
    total_bytes: int
    free_inodes: int | None

    @classmethod
    def of(cls, folder: Path) -> Space:
        """Return the space of a folder's file system.

        Raises:
            OSError: it is missing.
        """
        found = os.statvfs(folder)
        return cls(
            found.f_bavail * found.f_frsize,
            found.f_blocks * found.f_frsize,
            found.f_favail if found.f_files else None,
        )


@dataclass(frozen=True, slots=True)
class Overall:
    """Everything that `./sync status` shows.

    Attributes:
        places: where everything is.
        work: the state of the work, None if the ledger is unreachable.
        answering: whether the service answers requests.
        space: the storage's, None if it cannot be determined.
        messages: number in the queue, None without a broker or if it is unreachable.
        dead_letters: likewise.
        problems: what needs attention, one line each.
    """

    places: Places
    work: Work | None = None
    answering: bool = False
    space: Space | None = None
    messages: int | None = None
    dead_letters: int | None = None
    problems: Sequence[str] = ()

    def document(self) -> dict[str, Any]:
        """Return everything as JSON, in the shape that docs/command_line.md documents."""
        work = self.work
        return {
            "ok": not self.problems,
            "problems": list(self.problems),
            "servers": {name: asdict(place) for name, place in self.places.servers.items()},
            "url": self.places.url,
            "answering": self.answering,
            "key": self.places.key,
            "storage": {
                "path": str(self.places.storage),
                **(asdict(self.space) if self.space else {}),
            },
            "queue": {"messages": self.messages, "dead_letters": self.dead_letters},
            "objects": {**asdict(work.counts), "retrying": work.retrying} if work else None,
            "oldest_queued_seconds": work and work.oldest_seconds,
            "rate": work
            and {**asdict(work.progress), "objects_per_second": work.progress.per_second},
            "eta_seconds": work and work.eta_seconds,
            "failures": _failures(work.failures) if work else None,
            "verified": {result: work.verified.get(result, 0) for result in Verification}
            if work
            else None,
            "processes": [{**asdict(beat), "alive": beat in work.alive} for beat in work.beats]
            if work
            else None,
            "pauses": [asdict(pause) for pause in work.pauses] if work else None,
            "callbacks": asdict(work.callbacks) if work else None,
        }


def look(environment: LocalEnvironment, found: Places, settings: Settings) -> Overall:
    """Query everything at the same time.

    Args:
        environment: the installation's.
        found: where everything is.
        settings: with the servers of the installation.
    """

    def work() -> Iterator[Any]:
        require_ledger(settings, SECONDS / 2)
        with closing(adapters.ledger(settings)) as ledger:
            yield _work(ledger, settings)

    def service() -> Iterator[Any]:
        Client(environment.url, b"", retry_seconds=0).check()
        yield True

    def space() -> Iterator[Any]:
        yield Space.of(found.storage)

    def messages() -> Iterator[Any]:
        if settings.rabbitmq_url:
            from shared.queue.rabbitmq.inspection import depths  # noqa: PLC0415 # pika

            yield from depths(settings.rabbitmq_url, SECONDS / 2)

    asked = {"ledger": work, "service": service, "storage": space, "queue": messages}
    answers = ask_all(asked, SECONDS)
    values = {name: answer.values for name, answer in answers.items()}
    overall = Overall(
        found,
        work=next(iter(values["ledger"]), None),
        answering=bool(values["service"]),
        space=next(iter(values["storage"]), None),
        messages=values["queue"][0] if values["queue"] else None,
        dead_letters=values["queue"][1] if values["queue"] else None,
    )
    return replace(overall, problems=[*_unanswered(answers), *_problems(overall)])


def _work(ledger: Ledger, settings: Settings) -> Work:
    told = ledger.callbacks.counts()
    with closing(Overview(adapters.database(settings, QUERIES))) as overview:
        return Work(
            counts=ledger.counts(),
            retrying=overview.retrying(),
            oldest_seconds=ledger.oldest_queued_seconds(),
            progress=overview.progress(),
            failures=overview.failures(),
            verified=ledger.verifications.counts(),
            beats=ledger.heartbeats.all(),
            pauses=[*ledger.pauses.all(), *_of_the_receiver(ledger, told)],
            callbacks=told,
        )


def _of_the_receiver(ledger: Ledger, told: CallbackCounts) -> Sequence[Pause]:
    return ledger.pauses.of([PAUSE]) if ledger.with_callbacks or told.any else ()


def _unanswered(answers: Mapping[str, Answer[Any]]) -> Iterator[str]:
    for name, answer in answers.items():
        if not answer.ended:
            yield f"{name}: no answer within {SECONDS:g} s"
        elif isinstance(answer.error, ServiceError | OSError):
            yield f"{name}: {answer.error}"
        elif answer.error is not None:
            raise answer.error


def _problems(overall: Overall) -> Iterator[str]:
    work = overall.work
    if work is not None:
        if work.counts.failed:
            yield f"{work.counts.failed} objects have failed: ./sync list --state failed"
        for result in PROBLEMS:
            if number := work.verified.get(result):
                yield f"{number} stored files are {result}: ./sync list --verified {result}"
        now = datetime.now(UTC)
        waited = work.oldest_seconds or 0.0
        for part in (
            scheduler(work.beats, now),
            worker(work.beats, waited, now),
            paused("source", work.pauses),
            paused("storage", work.pauses),
            delivery(waited, now),
        ):
            if part.status is not Status.OK:
                yield _line(part)
        receiver = [pause for pause in work.pauses if pause.part == PAUSE]
        part = callbacks(work.callbacks, receiver)
        if part.status is not Status.OK:
            yield f"{_line(part)}: ./sync callbacks"
    if overall.dead_letters:
        yield f"{overall.dead_letters} dead letters: ./sync dead-letters show"


def _line(part: Part) -> str:
    since = f", since {part.since:%Y-%m-%d %H:%M:%S}" if part.since else ""
    return f"{part.name}: {part.reason}{since}"


def _failures(reasons: Sequence[FailureReason]) -> list[dict[str, Any]]:
    return [{"reason": found.reason, "objects": found.objects} for found in reasons]
