from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from functions.sync_worker import handler as module
from functions.sync_worker.breaker import Breaker
from functions.sync_worker.lease import LeaseKeeper
from functions.sync_worker.service import Config, SyncWorker
from functions.sync_worker.settler import LEDGER_WAIT_SECONDS, Settler
from shared.domain import UnprovenCopy, Wanted
from shared.errors import (
    CopyUnproven,
    LedgerUnavailable,
    ObjectMissing,
    SourceUnavailable,
    UnreadableMessage,
)
from shared.ledger.actions import Action
from shared.ledger.heartbeats import WORKER
from shared.ledger.ledger import Ledger
from shared.ledger.rows import NewObject, Outcome
from shared.ledger.selection import Selection
from shared.queue import rmq_event
from shared.queue.rmq_event import Delivery
from shared.retry import RetryPolicy
from shared.storage.local import LocalStorage
from shared.threads import thread_faults
from tests.helpers.events import recorded
from tests.helpers.fake_queue import FakeQueue
from tests.helpers.fake_source import FakeSource, Hangs
from tests.helpers.faulty_storage import FaultyStorage
from tests.helpers.roles import open_ledger, own_ledger
from tests.helpers.servers import execute
from tests.helpers.tcp_proxy import TcpProxy
from tests.helpers.waiting import until

LEASE = 60.0
MAX_ATTEMPTS = 3
PLENTY = 800.0
NO_TIME = 5.0


class Bench:
    """A worker over a real ledger and a real folder, with a source that a test lays down."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.ledger = open_ledger(url)
        self.source = FakeSource()
        self.storage = FaultyStorage(LocalStorage(folder))
        self.now = 0.0
        self.pauses: list[float] = []
        self.during_pause: Callable[[], None] = lambda: None
        self.lease = LEASE
        self.concurrency = 32
        self.standing = 300.0
        self.ended: list[str] = []
        self.stopping = threading.Event()
        self._number = 0

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        self.during_pause()

    def add(self, name: str, content: Any = b"content") -> int:
        self._number += 1
        self.source.objects[name] = content
        row_id = self.ledger.record(
            NewObject(
                oeid="o",
                ref_id="r",
                file_name=name,
                file_type="image/jpeg",
                payload_checksum=hashlib.sha256(str(self._number).encode()).digest(),
                request_id=f"request-{self._number}",
            ),
            0,
        )
        assert row_id is not None
        return row_id

    def worker(self, ledger: Ledger | None = None) -> SyncWorker:
        own = ledger or own_ledger(self.ledger, "worker")
        breaker = Breaker(own.pauses, self.source, self.storage, "test")
        settler = Settler(
            own,
            self.storage,
            RetryPolicy(MAX_ATTEMPTS),
            breaker,
            jitter=lambda: 0.0,
            pause=self.pause,
            clock=lambda: self.now,
        )
        config = Config(self.lease, MAX_ATTEMPTS, self.concurrency, standing_seconds=self.standing)
        return SyncWorker(
            config,
            own,
            self.source,
            self.storage,
            settler,
            breaker,
            end_process=self.ended.append,
        )

    def work(self, *row_ids: int, seconds_left: float = PLENTY) -> dict[Outcome, int]:
        worker = self.worker()
        return dict(worker.work(row_ids, lambda: seconds_left, self.stopping.is_set))

    def sql(self, statement: str) -> None:
        execute(self.url, statement)

    def abandon(self, *row_ids: int) -> None:
        """Leave rows as a worker does that has died with them; they wait for no other."""
        for row_id in row_ids:
            self.sql(
                "UPDATE file_sync SET attempts = attempts + 1, claimed_at = now(),"
                f" leased_until = now() - interval '1 second' WHERE id = {row_id}"
            )

    def row(self, row_id: int, columns: str = "state") -> Any:
        statement = f"SELECT {columns} FROM file_sync WHERE id = {row_id}"
        found = self.query(statement)[0]
        return found if "," in columns else found[0]

    def history(self, row_id: int) -> list[Any]:
        columns = "file_sync_id, attempt, outcome"
        rows = self.query(f"SELECT {columns} FROM sync_attempt ORDER BY attempt")
        return [(attempt, outcome) for of_row, attempt, outcome in rows if of_row == row_id]

    def query(self, statement: str) -> list[Any]:
        connection = psycopg2.connect(self.url)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall()
        finally:
            connection.close()

    def files(self) -> dict[str, bytes]:
        return {
            str(p.relative_to(self.folder)): p.read_bytes()
            for p in self.folder.rglob("*")
            if p.is_file()
        }


@pytest.fixture
def bench(database_url: str, tmp_path: Path) -> Iterator[Bench]:
    folder = tmp_path / "storage"
    folder.mkdir()
    bench = Bench(database_url, folder)
    yield bench
    bench.ledger.close()


def test_an_object_becomes_a_file_and_its_row_says_so(bench: Bench) -> None:
    row_id = bench.add("folder/a b.jpg", b"the bytes")
    assert bench.work(row_id) == {Outcome.SYNCED: 1}
    assert bench.files() == {"folder/a b.jpg": b"the bytes"}
    digest = hashlib.sha256(b"the bytes").hexdigest()
    assert bench.row(row_id, "state, file_path, size_bytes, encode(sha256, 'hex'), etag") == (
        "synced",
        "folder/a b.jpg",
        9,
        digest,
        digest[:32],
    )
    assert bench.history(row_id) == [(1, "synced")]


def test_the_attempts_of_a_batch_are_counted_by_outcome(bench: Bench) -> None:
    rows = [bench.add(f"{n}.jpg") for n in range(20)]
    lost = bench.add("lost", ObjectMissing("b"))
    later = bench.add("later", SourceUnavailable("timeout"))
    assert bench.work(*rows, lost, later, rows[0], 10**12) == {
        Outcome.SYNCED: 20,
        Outcome.FAILED: 1,
        Outcome.RETRY: 1,
    }
    assert len(bench.files()) == 20


def test_a_row_that_is_synced_already_is_skipped(bench: Bench) -> None:
    row_id = bench.add("a")
    bench.work(row_id)
    assert bench.work(row_id) == {}
    assert bench.source.fetched == [("a", 1)]


def test_giving_up_fails_the_row_with_its_reason(bench: Bench) -> None:
    row_id = bench.add("a", ObjectMissing("404"))
    assert bench.work(row_id) == {Outcome.FAILED: 1}
    assert bench.row(row_id, "state, last_error") == (
        "failed",
        "The object does not exist: 404",
    )
    assert bench.history(row_id) == [(1, "failed")]


def test_a_temporary_error_is_retried_after_its_delay(bench: Bench) -> None:
    row_id = bench.add("a", SourceUnavailable("timeout"))
    assert bench.work(row_id) == {Outcome.RETRY: 1}
    assert bench.row(
        row_id,
        "state, last_error, attempts, leased_until IS NULL,"
        " next_attempt_at - now() BETWEEN interval '2 s' AND interval '3 s'",
    ) == ("queued", "The object store could not be read: timeout", 1, True, True)
    assert bench.work(row_id) == {}


def test_a_batch_brings_along_its_share_of_due_retries(bench: Bench) -> None:
    retried = [bench.add(f"retried-{n}", SourceUnavailable("it is away")) for n in range(4)]
    bench.work(*retried)
    later = bench.add("later", SourceUnavailable("it is away"))
    bench.work(later)
    leased = bench.add("leased")
    bench.ledger.claim([leased], lease_seconds=60, max_attempts=MAX_ATTEMPTS)
    bench.sql(
        "UPDATE file_sync SET next_attempt_at = now() - make_interval(secs => 100 - id)"
        f" WHERE id IN ({','.join(map(str, retried))})"
    )
    for n in range(4):
        bench.source.objects[f"retried-{n}"] = b"content"
    waiting = [bench.add(f"waiting-{n}") for n in range(6)]

    assert bench.work(*waiting[:5]) == {Outcome.SYNCED: 7}  # two of the four: 5 / 4, rounded up
    assert [bench.row(row_id) for row_id in retried] == ["synced", "synced", "queued", "queued"]
    assert bench.work() == {}
    assert bench.work(waiting[5]) == {Outcome.SYNCED: 2}
    assert bench.row(later) == bench.row(leased) == "queued"


def test_the_last_attempt_fails_the_row(bench: Bench) -> None:
    row_id = bench.add("a", SourceUnavailable("timeout"))
    for _ in range(MAX_ATTEMPTS):
        bench.sql("UPDATE file_sync SET next_attempt_at = now()")
        bench.work(row_id)
    assert bench.row(row_id, "state, attempts") == ("failed", MAX_ATTEMPTS)
    assert [outcome for _, outcome in bench.history(row_id)] == ["retry", "retry", "failed"]


def raises(error: BaseException) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


@pytest.mark.parametrize("fault", [RuntimeError("secret"), raises(RuntimeError("secret"))])
def test_a_fault_in_one_copy_does_not_hurt_the_others(bench: Bench, fault: Any) -> None:
    row_id = bench.add("a", fault)
    others = [bench.add(f"{n}") for n in range(3)]
    assert bench.work(row_id, *others) == {Outcome.SYNCED: 3, Outcome.RETRY: 1}
    assert bench.row(row_id, "last_error") == (
        "The object store could not be read: unexpected RuntimeError"
    )


def test_what_the_storage_refuses_is_never_fetched(bench: Bench) -> None:
    row_id = bench.add("a")
    bench.sql("UPDATE file_sync SET file_name = '../a'")
    assert bench.work(row_id) == {Outcome.FAILED: 1}
    assert bench.source.fetched == []
    assert not (bench.folder.parent / "a").exists()


def test_one_part_that_cannot_be_made_durable_does_not_hurt_the_others(bench: Bench) -> None:
    rows = [bench.add(f"{n}") for n in range(4)]
    bench.storage.full.add(rows[1])
    assert bench.work(*rows) == {Outcome.SYNCED: 3, Outcome.RETRY: 1}
    assert bench.row(rows[1], "last_error") == "The local storage is full"
    assert sorted(n for n in bench.files() if not n.startswith(".incoming")) == ["0", "2", "3"]


def test_one_file_that_cannot_be_placed_does_not_hurt_the_others(bench: Bench) -> None:
    rows = [bench.add(f"{n}") for n in range(4)]
    bench.storage.unplaceable.add(rows[1])
    assert bench.work(*rows) == {Outcome.SYNCED: 3, Outcome.RETRY: 1}
    assert bench.row(rows[1], "state, synced_at") == ("queued", None)


def test_of_two_versions_under_one_name_one_is_fetched_again(bench: Bench) -> None:
    versions = iter([b"old", b"new", b"new"])
    first = bench.add("same", lambda: next(versions))
    second = bench.add("same", bench.source.objects["same"])
    bench.abandon(first, second)
    # An invocation that takes long takes the retry along; another one finds it otherwise.
    outcomes = Counter(bench.work(first, second)) + Counter(bench.work(first, second))
    assert outcomes == {Outcome.SYNCED: 2, Outcome.RETRY: 1}
    assert bench.files() == {"same": b"new"}
    assert {bench.row(first), bench.row(second)} == {"synced"}


def test_two_rows_of_one_version_are_both_synced(bench: Bench) -> None:
    rows = [bench.add("same"), bench.add("same")]
    assert bench.work(*rows) == {Outcome.SYNCED: 2}
    assert bench.files() == {"same": b"content"}


def test_a_copy_that_has_become_old_is_not_placed(bench: Bench) -> None:
    slow = bench.add("same", b"old")

    def overtake() -> bytes:
        fast = bench.add("same", b"new")
        other = Bench(bench.url, bench.folder)
        other.source.objects["same"] = b"new"
        other.abandon(fast)
        assert other.work(fast) == {Outcome.SYNCED: 1}
        other.ledger.close()
        return b"old"

    bench.source.objects["same"] = overtake
    assert bench.work(slow) == {Outcome.RETRY: 1}
    assert bench.files()["same"] == b"new"


def test_out_of_time_hands_back_what_has_not_begun_without_counting_it(bench: Bench) -> None:
    begun, waiting = bench.add("begun", Hangs(begun=True)), bench.add("waiting", Hangs())
    done = bench.add("done", b"done")
    left = iter([PLENTY])
    outcomes = bench.worker().work([begun, waiting, done], lambda: next(left, NO_TIME))
    assert outcomes == Counter({Outcome.RETRY: 2, Outcome.SYNCED: 1})
    assert sorted(bench.source.cancelled) == ["begun", "waiting"]
    tried = "state, attempts - attempts_forgiven, next_attempt_at <= now(), leased_until IS NULL"
    assert bench.row(begun, tried) == ("queued", 1, True, True)
    assert bench.row(waiting, tried) == ("queued", 0, True, True)


def test_an_object_that_never_fits_into_the_time_fails_at_last(bench: Bench) -> None:
    row_id = bench.add("huge", Hangs(begun=True))
    for _ in range(MAX_ATTEMPTS):
        bench.work(row_id, seconds_left=NO_TIME)
    assert bench.row(row_id, "state, last_error") == (
        "failed",
        "The worker had no time left for the object",
    )


def test_an_object_that_comes_further_each_time_uses_up_no_attempt(bench: Bench) -> None:
    row_id = bench.add("huge", Hangs(begun=True, proven=1))
    for _ in range(2 * MAX_ATTEMPTS):
        assert bench.work(row_id, seconds_left=NO_TIME) == {Outcome.RETRY: 1}
    assert bench.row(row_id, "state, attempts - attempts_forgiven, next_attempt_at <= now()") == (
        "queued",
        0,
        True,
    )


def test_a_row_that_never_began_is_not_failed_at_its_last_attempt(bench: Bench) -> None:
    row_id = bench.add("a", SourceUnavailable("timeout"))
    for _ in range(MAX_ATTEMPTS - 1):
        bench.work(row_id)
        bench.sql("UPDATE file_sync SET next_attempt_at = now()")
    bench.source.objects["a"] = Hangs()
    assert bench.work(row_id, seconds_left=NO_TIME) == {Outcome.RETRY: 1}
    assert bench.row(row_id) == "queued"


def test_what_a_failed_row_has_proven_is_kept_for_a_person_s_retry(bench: Bench) -> None:
    row_id = bench.add("a", Hangs(begun=True))
    bench.work(row_id, seconds_left=NO_TIME)
    journal = bench.folder / f".incoming/{row_id}.1.journal"
    journal.write_text("what is proven")
    bench.source.objects["a"] = ObjectMissing()
    assert bench.work(row_id) == {Outcome.FAILED: 1}
    kept = [f".incoming/{row_id}.1.journal", f".incoming/{row_id}.1.part"]
    assert sorted(bench.files()) == kept
    bench.ledger.actions.perform(Action.RETRY, Selection(ids=(row_id,)), "test")
    bench.source.objects["a"] = b"content"
    assert bench.work(row_id) == {Outcome.SYNCED: 1}
    assert bench.files() == {"a": b"content"}


def test_what_ended_just_in_time_is_not_thrown_away(bench: Bench) -> None:
    rows = [bench.add(f"{n}") for n in range(3)]
    assert bench.work(*rows, seconds_left=NO_TIME) == {Outcome.SYNCED: 3}


EXPIRE = "UPDATE file_sync SET leased_until = now() - interval '1 s' WHERE leased_until IS NOT NULL"


LEASED = "SELECT file_name FROM file_sync WHERE leased_until > now() ORDER BY id"


def watched(bench: Bench, *names: str) -> list[list[str]]:
    """Note for each copy of these objects which rows were in hand."""
    in_hand: list[list[str]] = []

    def look() -> bytes:
        in_hand.append([name for (name,) in bench.query(LEASED)])
        return b"content"

    bench.source.objects.update(dict.fromkeys(names, look))
    return in_hand


def die(bench: Bench, rows: list[int], **how: bool) -> None:
    """Claim rows as a worker does that dies before it can answer."""
    claims = bench.ledger.claim(rows, lease_seconds=LEASE, max_attempts=MAX_ATTEMPTS, **how)
    assert [claim.wanted.row_id for claim in claims] == rows
    bench.sql(EXPIRE)


def test_rows_whose_worker_is_presumed_dead_are_attempted_together_after_the_fresh(
    bench: Bench,
) -> None:
    rows = [bench.add(f"{n}") for n in range(3)]
    die(bench, rows)
    fresh = bench.add("fresh")
    in_hand = watched(bench, "0", "1", "2")
    assert bench.work(*rows, fresh) == {Outcome.SYNCED: 4}
    assert in_hand[0] == ["0", "1", "2"]
    assert bench.source.fetched[0] == ("fresh", 1)
    assert bench.history(rows[0]) == [(1, "lost"), (2, "synced")]


def test_suspects_take_half_of_the_concurrency_at_most(bench: Bench) -> None:
    bench.concurrency = 8
    rows = [bench.add(f"{n}", Hangs()) for n in range(10)]
    die(bench, rows)
    thread = threading.Thread(target=lambda: bench.work(*rows), daemon=True)
    thread.start()
    until(lambda: len(bench.source.fetched) == 4)
    late = bench.add("late")  # its message waits behind the invocation's own
    until(lambda: bench.row(late) == "synced")
    assert len(bench.source.fetched) == 5
    bench.sql("UPDATE file_sync SET attempts = attempts + 1")
    until(lambda: len(bench.source.fetched) > 5)
    bench.stopping.set()
    thread.join(30)
    assert not thread.is_alive()


def test_after_a_second_silent_death_a_row_is_attempted_alone(bench: Bench) -> None:
    rows = [bench.add(f"{n}") for n in range(3)]
    die(bench, rows)
    die(bench, rows, suspect=True, grouped=True)
    in_hand = watched(bench, "0", "1", "2")
    assert bench.work(*rows) == {Outcome.SYNCED: 3}
    assert in_hand == [["0"], ["1"], ["2"]]


def test_deaths_of_others_use_up_no_attempt_of_a_row_that_answers(bench: Bench) -> None:
    row_id = bench.add("a", SourceUnavailable("timeout"))
    die(bench, [row_id])
    die(bench, [row_id], suspect=True, grouped=True)
    assert bench.work(row_id) == {Outcome.RETRY: 1}  # its third attempt, the first that counts
    left = "attempts, attempts - attempts_forgiven, deaths"
    assert bench.row(row_id, left) == (3, 1, 0)


@pytest.mark.parametrize("answers", [0, MAX_ATTEMPTS - 1])
def test_a_row_fails_for_deaths_of_workers_only_after_one_that_it_was_alone_with(
    bench: Bench, answers: int
) -> None:
    row_id = bench.add("a", SourceUnavailable("timeout"))
    for _ in range(answers):
        bench.work(row_id)
        bench.sql("UPDATE file_sync SET next_attempt_at = now()")
    die(bench, [row_id])
    for _ in range(MAX_ATTEMPTS - answers - 2):
        die(bench, [row_id], suspect=True, grouped=True)
    bench.sql("UPDATE file_sync SET due_at = now()")
    assert bench.ledger.fail_exhausted(MAX_ATTEMPTS) == {}
    assert not bench.ledger.claim(
        [row_id], lease_seconds=LEASE, max_attempts=MAX_ATTEMPTS, suspect=True, grouped=True
    )
    die(bench, [row_id], suspect=True)
    bench.sql("UPDATE file_sync SET due_at = now()")
    assert bench.ledger.fail_exhausted(MAX_ATTEMPTS).keys() == {row_id}
    bench.ledger.actions.perform(Action.RETRY, Selection(ids=(row_id,)), "test")
    assert bench.row(row_id, "attempts - attempts_forgiven, deaths") == (0, 0)


def test_rows_are_claimed_as_copies_end_and_not_all_at_once(bench: Bench) -> None:
    bench.concurrency = 2
    rows = [bench.add(f"{n:02}", Hangs()) for n in range(10)]
    thread = threading.Thread(target=lambda: bench.work(*rows), daemon=True)
    thread.start()
    until(lambda: len(bench.source.fetched) == 4)
    assert bench.query("SELECT count(*) FROM file_sync WHERE leased_until IS NOT NULL") == [(4,)]
    bench.stopping.set()
    thread.join(30)
    assert not thread.is_alive()
    assert bench.query(
        "SELECT DISTINCT attempts - attempts_forgiven, leased_until IS NULL, "
        "next_attempt_at <= now() AND due_at <= now() FROM file_sync"
    ) == [(0, True, True)]


def test_a_fresh_request_passes_the_batch_in_front_of_it(bench: Bench) -> None:
    bench.concurrency = 2

    def slow() -> bytes:
        if not late:
            late.append(bench.add("late"))  # its message waits behind the invocation's own
        time.sleep(0.05)
        return b"content"

    late: list[int] = []
    rows = [bench.add(f"{n}", slow) for n in range(40)]
    bench.work(*rows)
    names = [name for name, _ in bench.source.fetched]
    assert "late" in names[:-10]
    assert len(names) == len(set(names)) == 41


def test_suspects_wait_when_there_is_no_time(bench: Bench) -> None:
    row_id = bench.add("a")
    bench.ledger.claim([row_id], lease_seconds=LEASE, max_attempts=MAX_ATTEMPTS)
    bench.sql(EXPIRE)
    assert bench.work(row_id, seconds_left=NO_TIME) == {}
    assert bench.row(row_id, "attempts") == 1


def test_a_transfer_whose_row_was_taken_over_is_broken_off(bench: Bench) -> None:
    bench.lease = 0.3
    row_id = bench.add("a", Hangs(begun=True))
    other = Ledger.at(bench.url)
    outcomes: list[dict[Outcome, int]] = []
    thread = threading.Thread(target=lambda: outcomes.append(bench.work(row_id)), daemon=True)
    thread.start()
    until(lambda: bench.source.fetched)
    bench.sql("UPDATE file_sync SET attempts = attempts + 1")
    thread.join(30)
    assert not thread.is_alive()
    assert outcomes == [{}]
    assert bench.source.cancelled == ["a"]
    assert bench.row(row_id, "state, attempts") == ("queued", 2)
    assert bench.history(row_id) == []
    other.close()


def test_a_lease_is_kept_for_as_long_as_the_worker_lives(bench: Bench) -> None:
    bench.lease = 0.6
    row_id = bench.add("slow", Hangs())
    thread = threading.Thread(
        target=lambda: bench.worker().work([row_id], lambda: PLENTY), daemon=True
    )
    first = [bench.row(row_id, "leased_until")]
    thread.start()

    def prolonged() -> bool:
        seen = bench.row(row_id, "leased_until")
        if seen is not None and seen != first[-1]:
            first.append(seen)
        return len(first) > 3

    until(prolonged)
    assert bench.source.cancelled == []
    bench.sql("UPDATE file_sync SET attempts = attempts + 1")
    thread.join(30)
    assert not thread.is_alive()


def cutting(proxy: TcpProxy) -> Callable[[], bytes]:
    def cut() -> bytes:
        proxy.refuse()
        return b"content"

    return cut


def test_a_short_outage_of_the_ledger_delays_the_outcome_only(bench: Bench) -> None:
    with TcpProxy(bench.url) as proxy:
        ledger = Ledger.at(proxy.url)
        row_id = bench.add("a", cutting(proxy))
        bench.during_pause = lambda: proxy.accept() if len(bench.pauses) == 3 else None
        outcomes = bench.worker(ledger).work([row_id], lambda: PLENTY)
        assert outcomes == {Outcome.SYNCED: 1}
        ledger.close()
    assert len(bench.pauses) >= 3
    assert bench.files() == {"a": b"content"}


def test_a_connection_lost_between_placing_and_the_commit_loses_nothing(bench: Bench) -> None:
    with TcpProxy(bench.url) as proxy:
        ledger = Ledger.at(proxy.url)
        row_id = bench.add("a")
        cuts = iter([proxy.refuse])

        def cut_once() -> None:
            for cut in cuts:
                cut()

        bench.storage.before_place = cut_once
        bench.during_pause = lambda: proxy.accept() if len(bench.pauses) == 1 else None
        outcomes = bench.worker(ledger).work([row_id], lambda: PLENTY)
        assert outcomes == {Outcome.SYNCED: 1}
        ledger.close()
    assert bench.row(row_id) == "synced"
    assert bench.history(row_id) == [(1, "synced")]
    assert bench.files() == {"a": b"content"}


def test_a_long_outage_of_the_ledger_is_raised_and_ends_every_copy(bench: Bench) -> None:
    with TcpProxy(bench.url) as proxy:
        ledger = Ledger.at(proxy.url)
        row_id = bench.add("a", cutting(proxy))
        hanging = bench.add("hangs", Hangs())
        with pytest.raises(LedgerUnavailable):
            bench.worker(ledger).work([hanging, row_id], lambda: PLENTY)
        ledger.close()
    assert sum(bench.pauses) >= LEDGER_WAIT_SECONDS
    assert bench.source.cancelled == ["hangs"]
    assert bench.row(row_id, "state, leased_until IS NULL") == ("queued", False)
    bench.sql(EXPIRE)
    bench.source.objects["a"] = b"content"
    assert bench.work(row_id) == {Outcome.SYNCED: 1}


def test_a_copy_that_ends_with_the_ledger_says_so_and_uses_up_no_attempt(bench: Bench) -> None:
    bench.concurrency = 2
    with TcpProxy(bench.url) as proxy:
        ledger = Ledger.at(proxy.url)
        row_ids = [
            bench.add("hangs", Hangs()),
            bench.add("a", cutting(proxy)),
            bench.add("waits"),
        ]

        def come_back() -> None:
            until(lambda: bench.source.cancelled == ["hangs"])
            proxy.accept()

        bench.during_pause = come_back
        with pytest.raises(LedgerUnavailable):
            bench.worker(ledger).work(row_ids, lambda: PLENTY)
        ledger.close()
    reason, attempts = bench.row(row_ids[0], "last_error, attempts - attempts_forgiven")
    assert reason == "The worker lost the database while it copied the object"
    assert attempts == 0


def test_an_outcome_that_postgresql_refuses_ends_its_own_row_alone(bench: Bench) -> None:
    rows = [bench.add(name, name.encode()) for name in ("a", "b", "c", "d")]
    bench.sql("ALTER TABLE file_sync ADD CONSTRAINT own CHECK (file_path <> 'c')")
    assert bench.work(*rows) == {Outcome.SYNCED: 3, Outcome.FAILED: 1}
    assert [bench.row(row_id) for row_id in rows] == ["synced", "synced", "failed", "synced"]
    assert 'violates check constraint "own"' in bench.row(rows[2], "last_error")
    assert bench.history(rows[2]) == [(1, "failed")]


def test_without_a_ledger_nothing_is_begun(bench: Bench) -> None:
    with TcpProxy(bench.url) as proxy:
        proxy.refuse()
        with pytest.raises(LedgerUnavailable):
            bench.worker(Ledger.at(proxy.url)).work([bench.add("a")], lambda: PLENTY)
        proxy.accept()
    assert bench.source.fetched == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_whatever_ends_the_worker_ends_its_copies(bench: Bench, error: type[BaseException]) -> None:
    row_id, hanging = bench.add("a"), bench.add("hangs", Hangs())
    bench.storage.before_place = raises(error())
    with pytest.raises(error):
        bench.work(hanging, row_id)
    assert bench.source.cancelled == ["hangs"]
    assert not [t for t in threading.enumerate() if t.name == "lease keeper"]


def test_parts_stay_for_retries_but_those_of_settled_or_unwritten_objects_do_not(
    bench: Bench,
) -> None:
    kept, lost = bench.add("kept", Hangs(begun=True)), bench.add("a", b"content")
    bench.storage.full.add(lost)
    bench.work(kept, lost, seconds_left=NO_TIME)
    assert sorted(bench.files()) == [f".incoming/{kept}.1.part"]
    bench.storage.full.clear()
    bench.source.objects["kept"] = ObjectMissing()
    bench.sql("UPDATE file_sync SET next_attempt_at = now()")
    assert bench.work(kept, lost) == {Outcome.SYNCED: 1, Outcome.FAILED: 1}
    assert bench.files() == {"a": b"content"}


def test_parts_are_removed_before_the_ledger_says_that_they_are_not_needed(bench: Bench) -> None:
    """A worker that dies right after the commit leaves none behind."""
    states = {}

    def look(wanted: Wanted) -> None:
        states[wanted.file_name] = bench.row(wanted.row_id)

    bench.storage.after_discard = look
    lost, refused = bench.add("a"), bench.add("refused", SourceUnavailable())
    bench.storage.full.add(lost)
    bench.work(lost, refused)
    bench.storage.full.clear()
    bench.source.objects["refused"] = ObjectMissing()
    for row_id in (lost, refused):  # settled together, and by itself
        bench.sql("UPDATE file_sync SET next_attempt_at = now()")
        bench.work(row_id)
    assert states == {"a": "queued", "refused": "queued"}
    assert (bench.row(lost), bench.row(refused)) == ("synced", "failed")
    assert bench.files() == {"a": b"content"}


def test_a_complete_part_of_a_row_that_another_worker_took_over_is_removed(bench: Bench) -> None:
    """The worker slept through its lease, and wakes up with everything it wanted."""
    row_id = bench.add("a")

    def sleep() -> bytes:
        bench.source.objects["a"] = b"content"
        bench.sql(EXPIRE)
        assert bench.work(row_id) == {Outcome.SYNCED: 1}
        return b"content"

    bench.source.objects["a"] = sleep
    assert bench.work(row_id) == {}
    assert bench.history(row_id)[-1] == (2, "synced")
    assert bench.files() == {"a": b"content"}


def test_abandoned_parts_are_swept_now_and_then(bench: Bench) -> None:
    worker = bench.worker()
    for _ in range(3):
        worker.work([], lambda: PLENTY)
    assert bench.storage.swept == 1


class Context:
    """The context of an invocation with plenty of time."""

    def get_remaining_time_in_millis(self) -> int:
        return 800_000


def work(bench: Bench, queue: FakeQueue, event: dict[str, Any]) -> dict[str, int]:
    return module.work(bench.worker(), lambda: queue, event, Context())


def test_the_recorded_event_is_understood(bench: Bench) -> None:
    bench.add("a")
    bench.sql("ALTER TABLE file_sync ALTER id DROP IDENTITY; UPDATE file_sync SET id = 42")
    assert work(bench, FakeQueue(), recorded("rmq")) == {"synced": 1}


def test_unreadable_messages_become_dead_letters_and_delay_no_other(bench: Bench) -> None:
    queue = FakeQueue()
    row_id = bench.add("a")
    bodies = [b"not json", b'{"id": %d}' % row_id, b'{"id": "1"}']
    event = rmq_event.build([Delivery(body=b) for b in bodies])
    assert work(bench, queue, event) == {"synced": 1}
    assert queue.dead_letters == [
        (b"not json", "not JSON"),
        (b'{"id": "1"}', "the id is not a whole number"),
    ]


def test_without_an_unreadable_message_no_queue_is_opened(bench: Bench) -> None:
    def open_queue() -> FakeQueue:
        raise AssertionError("opened")

    event = rmq_event.build([Delivery(body=b'{"id": %d}' % bench.add("a"))])
    assert module.work(bench.worker(), open_queue, event, Context()) == {"synced": 1}


def of_sqs(*bodies: str) -> dict[str, Any]:
    [record] = recorded("sqs")["Records"]
    return {"Records": [record | {"messageId": str(n), "body": b} for n, b in enumerate(bodies)]}


def test_of_sqs_only_what_cannot_be_settled_returns(bench: Bench) -> None:
    queue = FakeQueue()
    queue.reachable = False
    event = of_sqs(f'{{"id": {bench.add("a")}}}', "not JSON", '{"id": 999}')
    outcomes, failed = module.work_sqs(bench.worker(), lambda: queue, event, Context())
    assert (outcomes, failed) == ({"synced": 1}, ["1"])
    queue.reachable = True
    assert module.work_sqs(bench.worker(), lambda: queue, event, Context()) == ({}, [])
    assert queue.dead_letters == [(b"not JSON", "not JSON")]


def test_an_event_that_is_not_a_queue_s_is_an_error(bench: Bench) -> None:
    with pytest.raises(UnreadableMessage):
        work(bench, FakeQueue(), {"Records": []})


def test_a_synced_object_is_logged_with_how_it_was_verified(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    row_id = bench.add("a")
    bench.work(row_id)
    (line,) = [r.__dict__ for r in caplog.records if r.getMessage() == "object synced"]
    assert (line["row_id"], line["verified_by"]) == (row_id, "md5")


def test_a_copy_that_only_an_etag_speaks_against_is_compared_with_a_second_one_at_once(
    bench: Bench,
) -> None:
    copy = UnprovenCopy("tag", 7, b"s" * 32)
    unproven = CopyUnproven("its MD5 does not match", copy, first=True)
    outcomes: Iterator[Any] = iter([unproven, b"content"])
    row_id = bench.add("a", lambda: next(outcomes))
    assert bench.work(row_id) == {Outcome.RETRY: 1}
    assert bench.row(row_id, "unproven_etag, unproven_size, next_attempt_at <= now()") == (
        "tag",
        7,
        True,
    )
    assert bench.work(row_id) == {Outcome.SYNCED: 1}
    assert bench.row(row_id, "verified_by") == "md5"


def test_the_last_attempt_is_not_used_up_by_a_copy_that_must_be_compared(bench: Bench) -> None:
    copy = UnprovenCopy("tag", 7, b"s" * 32)
    unproven = CopyUnproven("its MD5 does not match", copy, first=True)
    outcomes: Iterator[Any] = iter([SourceUnavailable("timeout")] * 2 + [unproven, b"content"])
    row_id = bench.add("a", lambda: next(outcomes))
    for _ in range(MAX_ATTEMPTS):
        bench.sql("UPDATE file_sync SET next_attempt_at = now()")
        assert bench.work(row_id) == {Outcome.RETRY: 1}
    assert bench.work(row_id) == {Outcome.SYNCED: 1}


def test_a_slow_sync_of_names_keeps_no_transaction_open_and_no_row_locked(bench: Bench) -> None:
    bench.lease = 0.6
    row_id = bench.add("a")
    seen: list[Any] = []

    def slow() -> None:
        before = bench.row(row_id, "leased_until")
        until(lambda: bench.row(row_id, "leased_until") > before)  # heartbeats go on
        seen.append(bench.query("SELECT id FROM file_sync FOR UPDATE NOWAIT"))
        seen.append(bench.query("SELECT pg_try_advisory_xact_lock(hashtextextended('a', 0))"))

    bench.storage.before_names = slow
    assert bench.work(row_id) == {Outcome.SYNCED: 1}
    assert seen == [[(row_id,)], [(True,)]]


def test_of_two_versions_the_older_never_replaces_one_that_is_placed_and_not_recorded(
    bench: Bench,
) -> None:
    fast, slow = bench.add("same", b"new"), bench.add("same", b"new")
    other = Bench(bench.url, bench.folder)
    other.source.objects["same"] = b"old"
    old = bench.ledger.claim([slow], lease_seconds=LEASE, max_attempts=MAX_ATTEMPTS)
    outdated: list[dict[int, bool]] = []

    def overtake() -> None:
        with other.ledger.placing() as placing:
            outdated.append(placing.hold([(old[0], "old version")]))

    bench.storage.before_names = overtake
    bench.abandon(fast)
    assert bench.work(fast) == {Outcome.SYNCED: 1}
    assert outdated == [{slow: True}]
    other.ledger.close()


def test_a_copy_without_progress_ends_with_its_reason(bench: Bench) -> None:
    bench.lease, bench.standing = 0.3, 0.2
    row_id = bench.add("a", Hangs(begun=True))
    assert bench.work(row_id) == {Outcome.RETRY: 1}
    assert bench.source.cancelled == ["a"]
    assert "no progress for 0.2 s" in bench.row(row_id, "last_error")
    assert bench.row(row_id, "leased_until IS NULL")


def beats(bench: Bench) -> list[str | None]:
    """Return what the workers' last heartbeats report."""
    return [b.detail for b in bench.ledger.heartbeats.all() if b.component == WORKER]


def test_a_worker_has_a_heartbeat_and_not_one_each_invocation(bench: Bench) -> None:
    worker = bench.worker()
    assert worker.work([bench.add("a")], lambda: PLENTY) == {Outcome.SYNCED: 1}
    assert beats(bench) == [None]
    bench.sql("DELETE FROM heartbeat")
    assert worker.work([bench.add("b")], lambda: PLENTY) == {Outcome.SYNCED: 1}
    assert beats(bench) == []


def test_a_heartbeat_reports_a_copy_without_progress_until_it_has_ended(bench: Bench) -> None:
    bench.lease, bench.standing = 0.3, 1.5
    row_id = bench.add("a", Hangs(begun=True))
    seen: list[str | None] = []
    thread = threading.Thread(target=lambda: seen.append(str(bench.work(row_id))))
    thread.start()
    until(lambda: beats(bench) == ["1 copies have made no progress for 0.3 s"])
    thread.join(30.0)
    assert seen == [str({Outcome.RETRY: 1})]
    assert beats(bench) == [None]


def test_a_heartbeat_reports_a_disk_that_takes_long(bench: Bench) -> None:
    bench.lease, bench.standing = 0.3, 1.0
    row_id = bench.add("a")
    reported = "the storage has been settling one group for over 0.2 s"
    bench.storage.before_names = lambda: void(until(lambda: beats(bench) == [reported]))
    assert bench.work(row_id) == {Outcome.SYNCED: 1}
    assert beats(bench) == [None]


def test_a_storage_that_never_opens_a_file_is_reported_and_ends_the_worker(bench: Bench) -> None:
    bench.lease, bench.standing = 0.3, 1.0
    row_id = bench.add("a")
    reported = "the storage has not opened files for 0.2 s"

    def hang() -> None:
        until(lambda: beats(bench) == [reported])
        until(lambda: bool(bench.ended))

    bench.storage.before_parts = hang
    assert bench.work(row_id) == {Outcome.SYNCED: 1}
    assert bench.ended[0] == "the storage has not opened files: no progress for 1 s"
    assert beats(bench) == [None]


def void(_: object) -> None:
    """Return nothing."""


def test_leases_are_kept_after_an_unexpected_error_of_their_thread(bench: Bench) -> None:
    claims = bench.ledger.claim([bench.add("a")], lease_seconds=1.0, max_attempts=MAX_ATTEMPTS)

    def look() -> None:
        raise RuntimeError("unexpected")

    extended: set[str] = set()

    def is_kept() -> bool:
        extended.add(str(bench.row(claims[0].wanted.row_id, "leased_until")))
        return len(extended) > 3

    with LeaseKeeper(bench.ledger, 1.0, lambda: claims, lambda _: None, look):
        until(is_kept)
        assert thread_faults()["lease keeper"] == "RuntimeError: unexpected"
    assert "lease keeper" not in thread_faults()
