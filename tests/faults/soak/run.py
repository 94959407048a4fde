"""The soak: steady work for a long time while everything fails now and then."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pika.exceptions

from local.servers.ports import answers
from shared.storage.capabilities import is_probe
from tests.faults.harness.load import Client, Promises
from tests.faults.harness.services import Service
from tests.faults.harness.stack import SECRET, Stack
from tests.faults.soak.clients import Clients
from tests.faults.soak.disk import fill, small_disk
from tests.faults.soak.flatness import Course, course
from tests.faults.soak.objects import ACCEPTED, KNOWN, VERIFIED, Book, key
from tests.faults.soak.samples import Samples, of_role
from tests.faults.soak.torment import Keeper, Stream, Torment, streams
from tests.faults.soak.verifier import Verifier
from tests.helpers.failing_disk import CannotMount
from tests.helpers.servers import free_port
from tests.helpers.waiting import NotInTime, until

logger = logging.getLogger(__name__)

STUCK_SECONDS = 180.0
"""Without one more verified file for so long, once clients are done, the rest is lost."""

OVERTIME = 4
"""A run ends after this many times its minutes, with the objects that it has come to by then."""

SAMPLES = 180
"""In a run that keeps its pace."""

SHORTEST_SAMPLE_SECONDS = 2.0

SHOWN = 10
KEEPER_SECONDS = 1.0

SETTINGS = {
    # Of a batch that its worker died with, nothing is lost by waiting a little longer; with the
    # 2 s of the other faults, a busy machine takes slow workers for dead ones all the time.
    "LEASE_SECONDS": "10",
    "DELIVERY_SECONDS": "30",
    # Verified files are removed, and would be reported as missing.
    "SCRUB_DAYS": "0",
}
LASTING = "never killed"

ROWS = """
SELECT count(*), count(DISTINCT file_name), count(*) FILTER (WHERE state = 'synced'),
       count(*) FILTER (WHERE state = 'failed') FROM file_sync
"""
UNDONE = "SELECT file_name, state, last_error FROM file_sync WHERE state <> 'synced' LIMIT %s"
TWICE = """
SELECT count(*) FROM (SELECT 1 FROM sync_attempt WHERE outcome = 'synced'
                       GROUP BY file_sync_id HAVING count(*) > 1) AS t
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of it.

    Attributes:
        objects: how many.
        minutes: in which they are sent, if the machine keeps up.
        seed: decides what fails when.
        tempo: multiplies the times of faults; below 1 they come faster and are shorter.
    """

    objects: int
    minutes: float
    seed: int = 1
    tempo: float = 1.0


@dataclass
class Outcome:
    """What the run came to.

    Attributes:
        plan: as it was.
        seconds: from the first request until the last file was verified.
        recorded: requests answered 201, or 409 after an answer that was lost.
        verified: files that equaled their objects.
        failed: rows that ended as failed.
        lost: requests recorded without a right file.
        twice: objects synced more than once.
        answers: how many of each status; None is no answer.
        faults: how many of each.
        samples: of every role.
        courses: of the processes that were never killed.
        skipped: what could not be done, and why.
        complaints: everything that was wrong, in words.
    """

    plan: Plan
    seconds: float = 0.0
    recorded: int = 0
    verified: int = 0
    failed: int = 0
    lost: int = 0
    twice: int = 0
    answers: Counter[int | None] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    samples: Samples = field(default_factory=lambda: Samples({}))
    courses: list[Course] = field(default_factory=list)
    skipped: str = ""
    complaints: list[str] = field(default_factory=list)


def soak(stack: Stack, plan: Plan, is_over: Callable[[], bool] = lambda: False) -> Outcome:
    """Soak a stack, which is empty and at rest, and judge what is there afterwards.

    Args:
        stack: the service.
        plan: how much of it.
        is_over: returns whether to end early, with the objects that it has come to by then.
    """
    outcome = Outcome(plan)
    with contextlib.ExitStack() as block:
        fills = block.enter_context(_disk(stack, outcome))
        lasting = block.enter_context(_settled(stack))
        outcome.samples = _samples(stack, lasting)
        book = Book(bytearray(plan.objects))
        ports = [stack.port, int(lasting[0].variable("PORT"))]
        filler = partial(fill, stack.storage / "filler") if fills else None
        work = _Work(stack, plan, outcome, book)
        work.run(ports, streams(stack, work.keeper, filler), is_over)
        _judge(stack, outcome, book)
    outcome.courses = [
        course(role, found)
        for role in (f"{service.command}, {LASTING}" for service in lasting)
        if (found := of_role(outcome.samples.taken, role))
    ]
    outcome.complaints += [f"not flat: {each}" for each in outcome.courses if not each.is_flat]
    return outcome


@contextlib.contextmanager
def _disk(stack: Stack, outcome: Outcome) -> Iterator[bool]:
    """Put the storage on a disk that can be filled; yield whether that is possible."""
    with contextlib.ExitStack() as block:
        for service in stack.services:
            service.stop()
        try:
            block.enter_context(stack.storage_on(small_disk(stack.folder, stack.storage)))
        except CannotMount as error:
            outcome.skipped = f"full disks: {error}"
        try:
            yield not outcome.skipped
        finally:
            for service in stack.services:
                service.stop()
    stack.start()


@contextlib.contextmanager
def _settled(stack: Stack) -> Iterator[list[Service]]:
    """Run everything with the soak's settings, and a second of each process beside that lasts."""
    folder = stack.folder / "lasting"
    folder.mkdir()
    variables = {**stack.variables, **SETTINGS, "PORT": str(free_port())}
    lasting = [Service(service.command, folder, variables) for service in stack.services]
    try:
        for service in stack.services:
            service.change(**SETTINGS)
        stack.start()
        for service in lasting:
            service.start()
        until(lambda: answers(int(lasting[0].variable("PORT")), b"", b""), "the service to answer")
        yield lasting
    finally:
        for service in lasting:
            service.close()
        before = {name: stack.variables.get(name, "") for name in SETTINGS}
        for service in stack.services:
            service.change(**before)


def _samples(stack: Stack, lasting: list[Service]) -> Samples:
    servers = (stack.servers.postgres, stack.servers.rabbitmq, stack.servers.memcached)
    return Samples(
        {f"{service.command}, {LASTING}": partial(_pid, service) for service in lasting}
        | {f"{service.command}, killed": partial(_pid, service) for service in stack.services}
        | {faulty.name: partial(_pid, faulty.server) for faulty in servers}
    )


def _pid(process: object) -> int | None:
    pid: int | None = getattr(process, "pid")  # noqa: B009 # of servers and services alike
    return pid


class _Work:
    """Clients, verifier and torment at once."""

    def __init__(self, stack: Stack, plan: Plan, outcome: Outcome, book: Book) -> None:
        self.keeper = Keeper(stack.servers.all)
        self._stack = stack
        self._plan = plan
        self._outcome = outcome
        self._book = book

    def run(
        self, ports: Sequence[int], faults: Sequence[Stream], is_over: Callable[[], bool]
    ) -> None:
        """Work through the plan; see `soak`."""
        plan, book, seconds = self._plan, self._book, self._plan.minutes * 60
        torment = Torment(faults, plan.seed, plan.tempo)
        clients = Clients(ports, SECRET, book, plan.objects / seconds, plan.seed)
        url = self._stack.servers.database_url
        verifier = Verifier(url, self._stack.storage, clients.recorded, book)
        began = time.monotonic()

        def sample() -> None:
            passed = time.monotonic() - began
            if passed > OVERTIME * seconds or is_over():
                clients.stop()
            self._sample(passed)

        torment.every(max(SHORTEST_SAMPLE_SECONDS, seconds / SAMPLES), sample)
        torment.every(KEEPER_SECONDS, self.keeper.look_after)
        with verifier, clients:
            torment.run(lambda: clients.done or not verifier.alive)
            for server in self._stack.servers.all:
                server.start()
            self._stack.start()
            _drain(book)
            self._outcome.seconds = time.monotonic() - began
            sample()
        self._outcome.answers, self._outcome.faults = clients.answers, torment.counts

    def _sample(self, passed: float) -> None:
        waiting, book = _waiting(self._stack), self._book
        self._outcome.samples.take(passed, waiting, book.recorded, book.verified)
        logger.info("%d recorded, %d verified, %d wait", book.recorded, book.verified, waiting)


def _waiting(stack: Stack) -> int:
    try:
        return stack.broker.waiting()
    except (pika.exceptions.AMQPError, OSError):
        return -1


def _drain(book: Book) -> None:
    """Wait until every recorded object is verified or no further one has been for long."""
    seen, since = book.verified, time.monotonic()

    def is_over() -> bool:
        nonlocal seen, since
        if book.verified != seen:
            seen, since = book.verified, time.monotonic()
        done = book.verified + len(book.complaints) >= book.recorded
        return done or time.monotonic() - since > STUCK_SECONDS

    until(is_over, "the last objects", 86_400.0)


def _judge(stack: Stack, outcome: Outcome, book: Book) -> None:
    """Compare promises, ledger, files, counts and queues."""
    outcome.recorded, outcome.verified = book.recorded, book.verified
    complaints = outcome.complaints = list(book.complaints)
    try:
        until(stack.at_rest, "the work to come to rest", STUCK_SECONDS)
    except NotInTime as late:
        complaints.append(str(late))
    missing = [n for n, state in enumerate(book.states) if state in (ACCEPTED, KNOWN)]
    complaints += [f"never synced: {key(number)}" for number in missing[:SHOWN]]
    outcome.lost = book.recorded - book.states.count(VERIFIED)
    ((rows, names, synced, outcome.failed),) = stack.query(ROWS)
    complaints += [f"left over: {row}" for row in stack.query(UNDONE, SHOWN)]
    outcome.twice = rows - names + stack.query(TWICE)[0][0]
    if outcome.twice:
        complaints.append(f"synced or recorded more than once: {outcome.twice}")
    if rows != book.recorded:
        complaints.append(f"{rows} rows for {book.recorded} requests")
    counts = Client(stack.port, SECRET, Promises()).counts()
    truth = {
        "synced_objects_count": book.verified,
        "queued_objects_count": book.recorded - book.verified,
        "failed_objects_count": 0,
        "bytes_stored": book.stored,
    }
    told = {name: counts.get(name) for name in truth}
    if told != truth or synced != book.verified:
        complaints.append(f"counts: {told} is not {truth}")
    complaints += [f"file left over: {name}" for name in _files(stack.storage)[:SHOWN]]
    complaints += [f"dead letter: {body[:80]!r}" for body in stack.broker.dead()[:SHOWN]]


def _files(storage: Path) -> list[str]:
    """Return the files that are still there: each verified one was removed."""
    return sorted(
        path.relative_to(storage).as_posix()
        for path in storage.rglob("*")
        if not path.is_dir() and not is_probe(path.name)
    )
