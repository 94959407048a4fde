from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from functions.requeue.service import (
    BATCH,
    ENOUGH_WAITING,
    RETRY_SHARE,
    Config,
    Report,
    Requeue,
)
from shared.errors import QueueUnavailable
from shared.ledger.ledger import Ledger
from shared.ledger.rows import NewObject, Outcome, Settlement
from shared.metrics.catalog import OBJECTS, OLDEST_QUEUED, PAUSED, QUEUE_MESSAGES, UP, Metric
from tests.helpers.fake_queue import FakeQueue
from tests.helpers.roles import open_ledger, own_ledger
from tests.helpers.servers import execute

MAX_ATTEMPTS = 2
INSERT_2005 = """
INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id)
SELECT 'o', 'r', 'n', 't/t', sha256(n::text::bytea), '' FROM generate_series(1, 2005) AS n
"""


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    ledger = open_ledger(database_url)
    yield ledger
    ledger.close()


def add(ledger: Ledger, number: int, due_in: float = 0) -> int:
    row_id = ledger.record(
        NewObject(
            oeid="o",
            ref_id="r",
            file_name=f"{number}",
            file_type="t/t",
            payload_checksum=hashlib.sha256(str(number).encode()).digest(),
            request_id=f"request-{number}",
        ),
        due_in,
    )
    assert row_id is not None
    return row_id


def requeue(
    ledger: Ledger, queue: FakeQueue, delivery_seconds: float = 30, lease_seconds: float = 60
) -> Requeue:
    return Requeue(
        Config(delivery_seconds, lease_seconds, MAX_ATTEMPTS), own_ledger(ledger, "requeue"), queue
    )


def gauges(measuring: Requeue) -> dict[tuple[Metric | str, ...], float]:
    return {(one.metric, *one.labels): one.value for one in measuring.gauges()}


def test_due_rows_are_published_once_and_others_not(ledger: Ledger) -> None:
    due = [add(ledger, number) for number in range(3)]
    add(ledger, 3, due_in=100)
    queue = FakeQueue()
    assert requeue(ledger, queue).run() == Report(published=3, unconfirmed=0, failed=0)
    assert sorted(queue.published) == due
    assert requeue(ledger, queue).run() == Report(0, 0, 0)


def test_a_row_whose_message_is_lost_becomes_due_again(ledger: Ledger, database_url: str) -> None:
    row_id = add(ledger, 1)
    queue = FakeQueue()
    queue.confirms = False
    assert requeue(ledger, queue).run() == Report(published=0, unconfirmed=1, failed=0)
    assert requeue(ledger, queue).run() == Report(0, 0, 0)
    make_due(database_url)
    queue.reachable = False
    with pytest.raises(QueueUnavailable):
        requeue(ledger, queue).run()
    queue.reachable = True
    make_due(database_url)
    queue.confirms = True
    assert requeue(ledger, queue).run() == Report(published=1, unconfirmed=0, failed=0)
    assert queue.published == [row_id, row_id]


def test_a_long_lease_is_its_workers_until_it_ends(ledger: Ledger) -> None:
    row_id = add(ledger, 1)
    (claim,) = ledger.claim([row_id], lease_seconds=7200, max_attempts=MAX_ATTEMPTS)
    assert requeue(ledger, FakeQueue(), lease_seconds=7200).run() == Report(0, 0, 0)
    assert not ledger.claim([row_id], lease_seconds=60, max_attempts=MAX_ATTEMPTS, suspect=True)
    assert ledger.extend([claim], 7200) == {row_id}


def test_a_run_that_is_to_stop_takes_no_further_portion(ledger: Ledger, database_url: str) -> None:
    execute(database_url, INSERT_2005)
    queue = FakeQueue()
    assert requeue(ledger, queue).run(going=lambda: queue.batches < 1).published == BATCH
    assert requeue(ledger, queue).run().published == 2005 - BATCH


def make_due(url: str) -> None:
    """Let the delivery time pass."""
    execute(url, "UPDATE file_sync SET due_at = now()")


def test_a_full_queue_is_given_no_more(ledger: Ledger) -> None:
    for number in range(3):
        add(ledger, number)
    queue = FakeQueue(waiting=ENOUGH_WAITING)
    assert requeue(ledger, queue).run() == Report(0, 0, 0)
    queue.waiting = ENOUGH_WAITING - 2
    assert requeue(ledger, queue).run().published == 2
    assert requeue(ledger, FakeQueue()).run().published == 1


def attempted(ledger: Ledger, row_ids: list[int]) -> None:
    """Let rows have had an attempt that failed, with the retry due now."""
    claims = ledger.claim(row_ids, lease_seconds=60, max_attempts=MAX_ATTEMPTS)
    assert len(claims) == len(row_ids)
    ledger.settle([Settlement(claim, Outcome.RETRY, reason="it is away") for claim in claims])


def test_a_full_queue_is_given_a_share_of_retries(ledger: Ledger, database_url: str) -> None:
    fresh = [add(ledger, number) for number in range(3)]
    retried = [add(ledger, number) for number in range(3, 5)]
    attempted(ledger, retried)
    queue = FakeQueue(waiting=ENOUGH_WAITING + 5)
    assert requeue(ledger, queue).run().published == 2
    assert sorted(queue.published) == retried
    # Their messages have a long way to go: they are not published again as soon as others are.
    execute(database_url, "UPDATE file_sync SET due_at = due_at - interval '31 s'")
    assert requeue(ledger, queue).run().published == 0
    execute(database_url, "UPDATE file_sync SET due_at = due_at - interval '270 s'")
    assert requeue(ledger, queue).run().published == 2
    queue.waiting = 0
    assert requeue(ledger, queue).run().published == 3
    assert sorted(queue.published)[:3] == fresh


def test_the_share_of_retries_has_a_limit(ledger: Ledger, database_url: str) -> None:
    execute(database_url, INSERT_2005, "UPDATE file_sync SET attempts = 1")
    queue = FakeQueue(waiting=ENOUGH_WAITING)
    assert requeue(ledger, queue).run().published == RETRY_SHARE
    assert requeue(ledger, queue).run().published == RETRY_SHARE
    assert requeue(ledger, queue).run().published == 5
    assert requeue(ledger, queue).run().published == 0
    assert len(set(queue.published)) == 2005


def test_retries_come_first(ledger: Ledger) -> None:
    fresh = add(ledger, 1)
    retried = add(ledger, 2)
    attempted(ledger, [retried])
    queue = FakeQueue()
    requeue(ledger, queue).run()
    assert queue.published == [retried, fresh]


def test_many_rows_are_published_in_portions(ledger: Ledger, database_url: str) -> None:
    execute(database_url, INSERT_2005)
    queue = FakeQueue()
    assert requeue(ledger, queue).run().published == 2005
    assert queue.batches == -(-2005 // BATCH)
    assert len(set(queue.published)) == 2005


def test_a_run_ends_even_where_rows_are_due_again_at_once(ledger: Ledger) -> None:
    add(ledger, 1)
    queue = FakeQueue(waiting=ENOUGH_WAITING - 5)
    assert requeue(ledger, queue, delivery_seconds=0).run().published == 5


def test_rows_whose_workers_died_too_often_are_failed(ledger: Ledger, database_url: str) -> None:
    row_id = add(ledger, 1)
    for suspect in (False, True):
        ledger.claim([row_id], lease_seconds=60, max_attempts=MAX_ATTEMPTS, suspect=suspect)
        execute(
            database_url,
            "UPDATE file_sync SET leased_until = now() - interval '1 s', due_at = now()",
        )
    assert requeue(ledger, FakeQueue()).run() == Report(published=0, unconfirmed=0, failed=1)
    assert gauges(requeue(ledger, FakeQueue()))[OBJECTS, "failed"] == 1


def test_what_alarms_watch_is_measured(ledger: Ledger, database_url: str) -> None:
    add(ledger, 1)
    execute(database_url, "UPDATE file_sync SET queued_at = now() - interval '1 hour'")
    measured = gauges(requeue(ledger, FakeQueue(waiting=3)))
    assert (measured[OBJECTS, "failed"], measured[OBJECTS, "queued"]) == (0, 1)
    assert 3600 <= measured[OLDEST_QUEUED,] < 3700
    assert measured[QUEUE_MESSAGES, "sync"] == 3
    assert (measured[UP, "database"], measured[UP, "queue"]) == (1, 1)


def test_without_the_broker_the_ledger_is_measured(ledger: Ledger) -> None:
    add(ledger, 1)
    queue = FakeQueue()
    queue.reachable = False
    measured = gauges(requeue(ledger, queue))
    assert measured[OBJECTS, "queued"] == 1
    assert (measured[UP, "database"], measured[UP, "queue"]) == (1, 0)


def test_without_the_ledger_the_queue_is_measured(database_url: str) -> None:
    gone = Ledger.at(database_url.rpartition("/")[0] + "/no_such_database")
    measured = gauges(requeue(gone, FakeQueue(waiting=3)))
    gone.close()
    assert measured[QUEUE_MESSAGES, "sync"] == 3
    assert (measured[UP, "database"], measured[UP, "queue"]) == (0, 1)


def test_a_defect_in_what_is_measured_stops_nothing(ledger: Ledger) -> None:
    class Defective(FakeQueue):
        def depth(self) -> int:
            raise ZeroDivisionError

    assert gauges(requeue(ledger, Defective()))[UP, "queue"] == 0


def test_during_a_pause_one_row_is_published_as_a_probe(ledger: Ledger) -> None:
    rows = [add(ledger, number) for number in range(20)]
    ledger.pauses.open("source", "The bucket does not exist")
    queue = FakeQueue()
    assert requeue(ledger, queue).run() == Report(published=1, unconfirmed=0, failed=0)
    queue.waiting = 1
    assert requeue(ledger, queue).run() == Report(0, 0, 0)
    assert gauges(requeue(ledger, queue))[PAUSED, "source"] == 1
    queue.waiting = 0
    ledger.pauses.end("source")
    assert requeue(ledger, queue).run() == Report(published=19, unconfirmed=0, failed=0)
    assert sorted(queue.published) == rows


def test_a_pause_of_one_storage_holds_up_no_message(ledger: Ledger) -> None:
    for number in range(20):
        add(ledger, number)
    ledger.pauses.open("storage:here", "The local storage is full")
    assert requeue(ledger, FakeQueue()).run() == Report(published=20, unconfirmed=0, failed=0)
