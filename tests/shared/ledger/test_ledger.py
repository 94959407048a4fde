from __future__ import annotations

import dataclasses
import hashlib
import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from shared.domain import Fetched, UnprovenCopy
from shared.errors import RowRefused
from shared.ledger.actions import Action
from shared.ledger.ledger import Ledger
from shared.ledger.rows import LONGEST_TEXT, Claim, Counts, NewObject, Outcome, Settlement
from shared.ledger.selection import Selection
from tests.helpers.servers import connect
from tests.helpers.tcp_proxy import Condition, TcpProxy
from tests.helpers.waiting import join, until

LEASE = 60.0
MAX_ATTEMPTS = 3
COPY = Fetched(size=5, sha256=hashlib.sha256(b"bytes").digest(), etag="e1", verified_by="md5")


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    ledger = Ledger.at(database_url)
    yield ledger
    ledger.close()


@pytest.fixture
def execute(database_url: str) -> Iterator[Callable[..., list[tuple[Any, ...]]]]:
    connection = connect(database_url)
    connection.autocommit = True

    def run(sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else []

    yield run
    connection.close()


_numbers = itertools.count()


def new(file_name: str = "a.jpg") -> NewObject:
    number = next(_numbers)
    return NewObject(
        oeid="o",
        ref_id="r",
        file_name=file_name,
        file_type="image/jpeg",
        payload_checksum=hashlib.sha256(str(number).encode()).digest(),
        request_id=f"request-{number}",
    )


def record(ledger: Ledger, file_name: str = "a.jpg", due_in: float = 0) -> int:
    row_id = ledger.record(new(file_name), due_in)
    assert row_id is not None
    return row_id


def claim(ledger: Ledger, *row_ids: int, suspect: bool = False) -> list[Claim]:
    return ledger.claim(row_ids, lease_seconds=LEASE, max_attempts=MAX_ATTEMPTS, suspect=suspect)


def synced(claim: Claim, copy: Fetched = COPY) -> Settlement:
    return Settlement(claim, Outcome.SYNCED, fetched=copy)


def retry(claim: Claim, delay: float = 0.0, *, counted: bool = True) -> Settlement:
    return Settlement(claim, Outcome.RETRY, reason="not now", delay=delay, counted=counted)


EXPIRE = (
    "UPDATE file_sync SET leased_until = now() - interval '1 s', due_at = now() - interval '1 s'"
)


def test_a_signature_is_recorded_once(ledger: Ledger) -> None:
    one = new()
    first = ledger.record(one, 0)
    again = NewObject(
        oeid="x",
        ref_id="y",
        file_name="z",
        file_type="t/t",
        payload_checksum=one.payload_checksum,
        request_id="another request",
    )
    assert first is not None
    assert ledger.record(again, 0) is None
    assert ledger.counts().queued == 1


GATE = """
CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock_shared(17); RETURN NULL; END $$;
CREATE TRIGGER gate AFTER INSERT ON file_sync FOR EACH STATEMENT EXECUTE FUNCTION wait_at_gate()
"""


def test_a_request_finds_its_own_row_when_its_insert_is_run_again(
    database_url: str, execute: Callable[..., list[tuple[Any, ...]]]
) -> None:
    one, earlier = new(), new()
    with TcpProxy(database_url) as proxy, ThreadPoolExecutor(1) as threads:
        ledger = Ledger.at(proxy.url)
        ledger.record(earlier, 0)
        execute("UPDATE file_sync SET created_at = created_at - interval '1 hour'")
        execute(GATE)
        execute("SELECT pg_advisory_lock(17)")
        # The row of the second is an earlier request's.
        answers = threads.submit(ledger.record_all, [one, earlier], 0)
        until(lambda: execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))
        proxy.set_condition(Condition.SILENT)  # so that the answer is lost after the commit
        execute("SELECT pg_advisory_unlock(17)")
        until(lambda: execute("SELECT 1 FROM file_sync WHERE request_id = %s", one.request_id))
        proxy.reset()
        proxy.set_condition(Condition.NORMAL)
        [[own]] = execute("SELECT id FROM file_sync WHERE request_id = %s", one.request_id)
        assert answers.result() == [own, None]
        ledger.close()
    assert execute("SELECT count(*) FROM file_sync") == [(2,)]


def test_a_client_that_repeats_request_and_id_is_told_so(ledger: Ledger) -> None:
    one = new()
    assert ledger.record(one, 0) is not None
    assert ledger.record(one, 0) is None
    alike = [new()] * 50
    with ThreadPoolExecutor(16) as threads:
        ids = list(threads.map(lambda new: ledger.record(new, 0), alike))
    assert len([row_id for row_id in ids if row_id is not None]) == 1


UNPROVEN = UnprovenCopy("e1", 5, hashlib.sha256(b"bytes").digest())


def test_a_copy_that_nothing_proves_is_handed_to_the_next_attempts(
    ledger: Ledger, execute: Callable[..., list[tuple[Any, ...]]]
) -> None:
    row_id = record(ledger)
    (first,) = claim(ledger, row_id)
    assert first.wanted.unproven is None
    ledger.settle([dataclasses.replace(retry(first), unproven=UNPROVEN)])
    (second,) = claim(ledger, row_id)
    assert second.wanted.unproven == UNPROVEN
    ledger.settle([retry(second)])  # of another kind: there is no newer copy to compare with
    (third,) = claim(ledger, row_id)
    assert third.wanted.unproven == UNPROVEN
    newer = dataclasses.replace(UNPROVEN, etag="", size=6)
    ledger.settle([dataclasses.replace(retry(third, counted=False), unproven=newer)])
    (fourth,) = claim(ledger, row_id)
    assert fourth.wanted.unproven == newer
    proven = dataclasses.replace(COPY, verified_by="two equal downloads")
    ledger.settle([synced(fourth, proven)])
    assert execute("SELECT verified_by FROM file_sync") == [("two equal downloads",)]


def test_requests_of_many_threads_are_recorded_each_with_its_own_answer(
    ledger: Ledger, execute: Callable[..., list[tuple[Any, ...]]]
) -> None:
    known = new()
    ledger.record(known, 0)
    news = [new(f"{number}.jpg") for number in range(200)]
    again = [dataclasses.replace(known, request_id=f"again {number}") for number in range(20)]
    with ThreadPoolExecutor(16) as threads:
        ids = list(threads.map(lambda one: ledger.record(one, 0), news + again))
    assert ids[200:] == [None] * 20
    names = dict(execute("SELECT id, file_name FROM file_sync"))
    assert [names[row_id] for row_id in ids[:200]] == [one.file_name for one in news]
    assert ledger.counts().queued == 201


def test_the_same_signatures_recorded_in_any_order_never_wait_in_a_circle(
    ledger: Ledger, database_url: str
) -> None:
    other = Ledger.at(database_url)
    news = [new() for _ in range(300)]
    theirs = [dataclasses.replace(one, request_id=f"their {one.request_id}") for one in news]
    with ThreadPoolExecutor(32) as threads:
        mine = [threads.submit(ledger.record, one, 0) for one in news]
        taken = [threads.submit(other.record, one, 0) for one in reversed(theirs)]
        ids = [call.result() for call in mine]
        others = list(reversed([call.result() for call in taken]))
    assert [(a is None) + (b is None) for a, b in zip(ids, others, strict=True)] == [1] * 300
    assert ledger.counts().queued == 300


def test_one_of_many_simultaneous_requests_is_recorded(ledger: Ledger, database_url: str) -> None:
    signature = new().payload_checksum
    barrier = threading.Barrier(16, timeout=30)
    recorded = []

    def send(number: int) -> None:
        mine = Ledger.at(database_url)
        barrier.wait()
        recorded.append(
            mine.record(
                NewObject(
                    oeid="o",
                    ref_id="r",
                    file_name="a",
                    file_type="t/t",
                    payload_checksum=signature,
                    request_id=str(number),
                ),
                0,
            )
        )
        mine.close()

    threads = [threading.Thread(target=send, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    join(*threads)
    assert sum(row_id is not None for row_id in recorded) == 1
    assert ledger.counts().queued == 1


def test_a_claim_counts_the_attempt_and_keeps_others_away(ledger: Ledger) -> None:
    row_id = record(ledger)
    first = claim(ledger, row_id)
    assert [(c.wanted.row_id, c.wanted.attempt, c.counted_attempts) for c in first] == [
        (row_id, 1, 1)
    ]
    assert claim(ledger, row_id) == []
    assert claim(ledger, row_id, suspect=True) == []


def test_unknown_rows_are_not_claimed(ledger: Ledger) -> None:
    assert claim(ledger, -1, 10**15) == []


def test_a_row_is_not_claimed_before_its_retry_is_due(ledger: Ledger) -> None:
    row_id = record(ledger)
    ledger.settle([retry(claim(ledger, row_id)[0], delay=100)])
    assert claim(ledger, row_id) == []
    assert ledger.take_due(10, 10) == []


def test_a_row_whose_worker_is_presumed_dead_is_claimed_as_a_suspect(
    ledger: Ledger, execute: Callable[..., list[tuple[Any, ...]]]
) -> None:
    row_id = record(ledger)
    claim(ledger, row_id)
    execute(EXPIRE)
    assert claim(ledger, row_id) == []
    assert [c.wanted.attempt for c in claim(ledger, row_id, suspect=True)] == [2]
    assert execute("SELECT attempt, outcome FROM sync_attempt") == [(1, "lost")]


def test_a_row_with_its_attempts_used_up_is_failed_not_claimed(
    ledger: Ledger, execute: Callable[..., list[tuple[Any, ...]]]
) -> None:
    row_id = record(ledger)
    claim(ledger, row_id)
    for _ in range(MAX_ATTEMPTS - 1):
        execute(EXPIRE)
        assert claim(ledger, row_id, suspect=True)
    assert ledger.fail_exhausted(MAX_ATTEMPTS) == {}
    execute(EXPIRE)
    assert claim(ledger, row_id, suspect=True) == []
    assert ledger.fail_exhausted(MAX_ATTEMPTS).keys() == {row_id}
    assert execute("SELECT state, last_error FROM file_sync") == [
        ("failed", "the worker stopped without an answer, attempts used up")
    ]
    assert execute("SELECT attempt, outcome FROM sync_attempt ORDER BY attempt") == [
        (n, "lost") for n in range(1, MAX_ATTEMPTS + 1)
    ]
    assert ledger.counts() == Counts(synced=0, queued=0, failed=1, bytes_stored=0)


def test_a_synced_row_holds_what_was_copied(
    ledger: Ledger, execute: Callable[..., list[tuple[Any, ...]]]
) -> None:
    row_id = record(ledger, "folder/a b.jpg")
    assert set(ledger.settle([synced(claim(ledger, row_id)[0])])) == {row_id}
    assert execute(
        "SELECT state, file_path, size_bytes, encode(sha256, 'hex'), etag, last_error,"
        " leased_until FROM file_sync"
    ) == [("synced", "folder/a b.jpg", 5, COPY.sha256.hex(), "e1", None, None)]
    assert ledger.counts() == Counts(synced=1, queued=0, failed=0, bytes_stored=5)


def test_a_late_worker_cannot_settle_what_another_has_claimed(
    ledger: Ledger, execute: Callable[..., list[tuple[Any, ...]]]
) -> None:
    row_id = record(ledger)
    late = claim(ledger, row_id)[0]
    execute(EXPIRE)
    current = claim(ledger, row_id, suspect=True)[0]
    with ledger.placing() as placing:
        assert placing.hold([(late, "e1")]) == {}
    assert set(ledger.settle([synced(late)])) == set()
    assert ledger.extend([late], LEASE) == set()
    assert ledger.extend([current], LEASE) == {row_id}
    assert set(ledger.settle([synced(current)])) == {row_id}
    assert set(ledger.settle([synced(current)])) == set()
    assert ledger.counts().synced == 1


def test_a_held_row_cannot_be_claimed_until_the_commit(
    ledger: Ledger, database_url: str, execute: Callable[..., list[tuple[Any, ...]]]
) -> None:
    row_id = record(ledger)
    sleeper = claim(ledger, row_id)[0]
    execute(EXPIRE)
    other = Ledger.at(database_url)
    with ledger.placing() as placing:
        assert placing.hold([(sleeper, "e1")]) == {row_id: False}
        assert claim(other, row_id, suspect=True) == []
    assert set(ledger.settle([synced(sleeper)])) == {row_id}
    assert claim(other, row_id, suspect=True) == []
    other.close()


@pytest.mark.parametrize(
    ("one", "other", "waits"),
    [
        ("IMG_1.JPG", "img_1.jpg", True),
        ("\u00e9", "E\u0301", True),
        ("stra\u00dfe", "STRASSE", True),
        ("a", "b", False),
    ],
)
def test_names_that_a_storage_may_take_for_one_are_placed_one_after_another(
    one: str, other: str, waits: bool, ledger: Ledger, execute: Callable[..., list[tuple[Any, ...]]]
) -> None:
    first, second = (claim(ledger, record(ledger, name))[0] for name in (one, other))
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    entered = threading.Event()

    def place() -> None:
        with ledger.placing() as placing:
            placing.hold([(second, None)])
            entered.set()

    thread = threading.Thread(target=place)
    with ledger.placing() as placing:
        placing.hold([(first, None)])
        thread.start()
        until(lambda: entered.is_set() or execute(waiting) == [(1,)])
        assert entered.is_set() != waits
    join(thread)
    assert entered.is_set()


def test_a_copy_older_than_what_was_placed_under_its_name_is_outdated(ledger: Ledger) -> None:
    slow, fast = record(ledger, "same"), record(ledger, "same")
    slow_claim = claim(ledger, slow)[0]
    fast_claim = claim(ledger, fast)[0]
    ledger.settle([synced(fast_claim)])
    with ledger.placing() as placing:
        assert placing.hold([(slow_claim, "another version")]) == {slow: True}
    with ledger.placing() as placing:
        assert placing.hold([(slow_claim, COPY.etag)]) == {slow: False}


def placed(ledger: Ledger, claim: Claim, etag: str, *, in_place: bool = False) -> bool:
    """Note that a file was placed, and return whether it was outdated."""
    with ledger.placing() as placing:
        held = placing.hold([(claim, etag)], {claim.wanted.row_id} if in_place else ())
    return held[claim.wanted.row_id]


@pytest.mark.parametrize("settled", [False, True])
def test_what_was_placed_last_counts_whether_or_not_it_is_recorded(
    ledger: Ledger, execute: Callable[..., list[tuple[Any, ...]]], *, settled: bool
) -> None:
    oldest, frozen, latest, other = (claim(ledger, record(ledger, "n"))[0] for _ in range(4))
    assert not placed(ledger, frozen, "e1")
    execute(EXPIRE)
    if settled:
        ledger.settle([synced(frozen)])
    assert placed(ledger, latest, "e2")
    ledger.settle([retry(latest)])
    latest = claim(ledger, latest.wanted.row_id)[0]
    assert not placed(ledger, latest, "e2")
    assert placed(ledger, oldest, "e1")
    assert not placed(ledger, other, "e2", in_place=True)


def test_an_object_that_is_fetched_again_is_the_newest_of_its_name_until_another_is_placed(
    ledger: Ledger,
) -> None:
    first, second = (claim(ledger, record(ledger, "n"))[0] for _ in range(2))
    assert not placed(ledger, first, "e1")
    ledger.settle([synced(first)])
    ledger.actions.perform(Action.FETCH_AGAIN, Selection(), "test")
    assert placed(ledger, second, "e2", in_place=True)
    first = claim(ledger, first.wanted.row_id)[0]
    assert placed(ledger, second, "e2")
    ledger.settle([retry(second)])
    second = claim(ledger, second.wanted.row_id)[0]
    assert not placed(ledger, second, "e2")
    assert placed(ledger, first, "e1")


def test_noting_that_files_were_placed_changes_no_index(
    ledger: Ledger, execute: Callable[..., list[tuple[Any, ...]]]
) -> None:
    hot = "SELECT n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'file_sync'"
    mine = claim(ledger, record(ledger))[0]
    execute("BEGIN")
    execute("UPDATE file_sync SET placed_at = now(), etag = 'e' WHERE id = %s", mine.wanted.row_id)
    assert execute(hot) == [(1,)]
    execute("ROLLBACK")


def test_the_statements_of_the_release_before_keep_the_order_of_names(
    ledger: Ledger, execute: Callable[..., list[tuple[Any, ...]]]
) -> None:
    order = "SELECT name_order = 'infinity', name_order = placed_at FROM file_sync"
    record(ledger)
    execute("UPDATE file_sync SET attempts = 1, claimed_at = now(), leased_until = now()")
    assert execute(order) == [(True, None)]
    execute("UPDATE file_sync SET placed_at = now()")
    assert execute(order) == [(True, False)]
    execute("UPDATE file_sync SET leased_until = NULL")
    assert execute(order) == [(False, True)]


def test_an_error_in_the_block_rolls_everything_back(
    ledger: Ledger, execute: Callable[..., list[tuple[Any, ...]]]
) -> None:
    row_id = record(ledger)
    mine = claim(ledger, row_id)[0]
    with pytest.raises(RuntimeError), ledger.placing() as placing:
        assert placing.hold([(mine, "e1")]) == {row_id: False}
        raise RuntimeError
    assert execute("SELECT placed_at, etag FROM file_sync") == [(None, None)]
    assert set(ledger.settle([synced(mine)])) == {row_id}


def test_a_retry_that_never_ran_uses_up_no_attempt(ledger: Ledger) -> None:
    row_id = record(ledger)
    for _ in range(MAX_ATTEMPTS + 2):
        ledger.settle([retry(claim(ledger, row_id)[0], counted=False)])
    assert [c.counted_attempts for c in claim(ledger, row_id)] == [1]


def test_due_rows_are_taken_once_per_delivery_time(ledger: Ledger) -> None:
    row_id = record(ledger)
    record(ledger, due_in=100)
    assert [m.row_id for m in ledger.take_due(10, 100)] == [row_id]
    assert ledger.take_due(10, 100) == []


def test_the_oldest_queued_object_has_an_age(ledger: Ledger) -> None:
    assert ledger.oldest_queued_seconds() is None
    record(ledger)
    age = ledger.oldest_queued_seconds()
    assert age is not None
    assert 0 <= age < 60


def test_counts_stay_exact_under_concurrent_changes_of_every_kind(
    ledger: Ledger, database_url: str, execute: Callable[..., list[tuple[Any, ...]]]
) -> None:
    def work() -> None:
        mine = Ledger.at(database_url)
        for round_number in range(20):
            rows = [record(mine) for _ in range(3)]
            claims = claim(mine, *rows)
            mine.settle(
                [
                    synced(claims[0]),
                    Settlement(claims[1], Outcome.FAILED, reason="no"),
                    retry(claims[2], delay=round_number),
                ]
            )
        mine.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    join(*threads)
    execute("DELETE FROM file_sync WHERE state = 'failed' AND id % 3 = 0")
    truth: dict[object, object] = dict(
        execute("SELECT state, count(*) FROM file_sync GROUP BY state")
    )
    stored = execute("SELECT sum(size_bytes)::bigint FROM file_sync")[0][0]
    counts = ledger.counts()
    assert (counts.synced, counts.queued, counts.failed) == (
        truth["synced"],
        truth["queued"],
        truth["failed"],
    )
    assert counts.bytes_stored == stored
    execute("TRUNCATE file_sync CASCADE")
    assert ledger.counts() == Counts(0, 0, 0, 0)


@pytest.mark.parametrize(
    ("reason", "stored"),
    [
        ("with \x00 NUL", r"with \x00 NUL"),
        ("lone \udcff surrogate", r"lone \udcff surrogate"),
        ("x" * 10_000, "x" * LONGEST_TEXT),
        ("日本 ж", "日本 ж"),
    ],
)
def test_a_reason_of_any_kind_is_recorded(
    ledger: Ledger, execute: Callable[..., list[tuple[Any, ...]]], reason: str, stored: str
) -> None:
    rows = [record(ledger), record(ledger)]
    one, other = claim(ledger, *rows)
    settlements = [Settlement(one, Outcome.FAILED, reason), retry(other, delay=1e300)]
    assert set(ledger.settle(settlements)) == set(rows)
    assert execute("SELECT last_error FROM file_sync WHERE state = 'failed'") == [(stored,)]


def test_an_etag_of_any_kind_is_recorded_and_compared(ledger: Ledger) -> None:
    odd = dataclasses.replace(COPY, etag="e\x00\udcff")
    first, second = record(ledger, "a"), record(ledger, "a")
    one, other = claim(ledger, first, second)
    with ledger.placing() as placing:
        assert placing.hold([(one, odd.etag)]) == {first: False}
    assert set(ledger.settle([synced(one, odd)])) == {first}
    with ledger.placing() as placing:
        assert placing.hold([(other, odd.etag)]) == {second: False}  # the same version
    assert set(ledger.settle([synced(other, odd)])) == {second}


def test_an_outcome_that_is_refused_keeps_no_other_from_being_recorded(
    ledger: Ledger, execute: Callable[..., list[tuple[Any, ...]]]
) -> None:
    rows = [record(ledger) for _ in range(5)]
    claims = claim(ledger, *rows)
    execute("ALTER TABLE file_sync ADD CONSTRAINT own CHECK (last_error <> 'never')")
    reasons = ["never" if number == 2 else "not now" for number in range(5)]
    settlements = [
        Settlement(each, Outcome.RETRY, reason=reason)
        for each, reason in zip(claims, reasons, strict=True)
    ]
    assert set(ledger.settle(settlements)) == set(rows)
    failed = execute("SELECT id, last_error FROM file_sync WHERE state = 'failed'")
    assert [row_id for row_id, _ in failed] == [rows[2]]
    assert "PostgreSQL refuses the row" in failed[0][1]


def test_a_refused_request_names_its_reason_and_column(
    ledger: Ledger, execute: Callable[..., list[tuple[Any, ...]]]
) -> None:
    execute("CREATE DOMAIN short AS text CHECK (length(VALUE) < 5)")
    execute("ALTER TABLE file_sync ALTER COLUMN ref_id TYPE short")
    with pytest.raises(RowRefused, match="short_check"):
        ledger.record(dataclasses.replace(new(), ref_id="too long"), 0)
    with pytest.raises(RowRefused, match="null value") as caught:
        ledger.record(dataclasses.replace(new(), oeid=None), 0)  # type: ignore[arg-type]
    assert caught.value.column == "oeid"
    with pytest.raises(RowRefused, match="NUL"):
        ledger.record(dataclasses.replace(new(), oeid="\x00"), 0)
    with pytest.raises(RowRefused, match="surrogates"):
        ledger.record(dataclasses.replace(new(), oeid="\udcff"), 0)
    assert record(ledger)


def late(ledger: Ledger, most: int = 10, *, delivery: float = 30, paused_by: str = "source") -> Any:
    found = ledger.take_late(
        most, late_seconds=3, delivery_seconds=delivery, max_attempts=2, paused_by=[paused_by]
    )
    return [message.row_id for message in found]


def test_rows_that_no_worker_claims_are_late_long_before_they_are_due(
    ledger: Ledger, execute: Callable[..., list[tuple[Any, ...]]]
) -> None:
    fresh = record(ledger, "fresh.jpg", due_in=28)
    later = record(ledger, "later.jpg", due_in=26)
    first = record(ledger, "first.jpg", due_in=20)
    claim(ledger, record(ledger, "claimed.jpg", due_in=10))
    waiting = record(ledger, "waiting.jpg", due_in=10)
    ledger.settle([retry(c, delay=5.0) for c in claim(ledger, waiting)])
    exhausted = record(ledger, "exhausted.jpg", due_in=10)
    execute("UPDATE file_sync SET attempts = 2 WHERE id = %s", exhausted)
    assert late(ledger, 1) == [first]
    assert late(ledger) == [later]
    execute("UPDATE file_sync SET due_at = due_at - interval '2 s' WHERE id = %s", fresh)
    assert late(ledger) == [fresh]


def test_a_late_row_that_is_left_is_late_again_when_a_message_has_had_its_time(
    ledger: Ledger, execute: Callable[..., list[tuple[Any, ...]]]
) -> None:
    row_id = record(ledger, due_in=20)
    assert late(ledger) == [row_id]
    execute("UPDATE file_sync SET due_at = due_at - interval '32 s'")
    assert late(ledger) == []
    execute("UPDATE file_sync SET due_at = due_at - interval '2 s'")
    assert ledger.take_due(10, 10) == []
    assert late(ledger) == [row_id]
    ledger.hand_back([row_id])
    assert late(ledger) == [row_id]


def test_a_row_is_not_late_while_its_message_may_take_less_than_that(ledger: Ledger) -> None:
    record(ledger, "fresh.jpg", due_in=1)
    due = record(ledger, "due.jpg", due_in=-1)
    assert late(ledger, delivery=1) == [due]


def test_no_row_is_late_for_a_worker_that_is_paused(ledger: Ledger) -> None:
    row_id = record(ledger, due_in=20)
    ledger.pauses.open("storage:here", "full")
    assert late(ledger, paused_by="storage:here") == []
    assert late(ledger, paused_by="storage:there") == [row_id]
