from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain import Fetched
from shared.ledger.actions import Action, Actions
from shared.ledger.database import Database
from shared.ledger.ledger import QUERIES, Ledger
from shared.ledger.rows import NewObject, Outcome, Settlement, State
from shared.ledger.selection import PROBLEMS, Origin, Selection, Verification, like
from tests.helpers.servers import execute, query

NOW = datetime.now(UTC)


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    ledger = Ledger.at(database_url)
    yield ledger
    ledger.close()


@pytest.fixture
def by_two(database_url: str) -> Iterator[Actions]:
    database = Database(database_url, *QUERIES)
    yield Actions(database, slice_size=2)
    database.close()


def record(ledger: Ledger, name: str, file_type: str = "image/jpeg") -> int:
    new = NewObject("o", "r", name, file_type, name.encode().ljust(32), "q")
    row_id = ledger.record(new, due_in=3600)
    assert row_id is not None
    return row_id


def fail(ledger: Ledger, name: str, reason: str = "gone") -> int:
    row_id = record(ledger, name)
    settle(ledger, row_id, Outcome.FAILED, reason)
    return row_id


def sync(ledger: Ledger, name: str) -> int:
    row_id = record(ledger, name)
    settle(ledger, row_id, Outcome.SYNCED)
    return row_id


def settle(ledger: Ledger, row_id: int, outcome: Outcome, reason: str | None = None) -> None:
    (claim,) = ledger.claim([row_id], lease_seconds=60, max_attempts=8)
    fetched = Fetched(3, b"x" * 32, "e", "md5") if outcome is Outcome.SYNCED else None
    delay = 600 if outcome is Outcome.RETRY else 0
    assert ledger.settle([Settlement(claim, outcome, reason, delay=delay, fetched=fetched)])


def states(url: str) -> dict[str, str]:
    return dict(query(url, "SELECT file_name, state::text FROM file_sync"))


def perform(ledger: Ledger, action: Action, selection: Selection) -> int:
    performed = ledger.actions.perform(action, selection, "test")
    assert performed.finished_at is not None
    return performed.objects


def test_a_dismissed_failure_counts_nowhere_and_can_be_restored(
    ledger: Ledger, database_url: str
) -> None:
    row_id = fail(ledger, "a")
    record(ledger, "b")
    assert perform(ledger, Action.DISMISS, Selection(ids=(row_id,))) == 1
    assert states(database_url) == {"a": "dismissed", "b": "queued"}
    counts = ledger.counts()
    assert (counts.queued, counts.failed, counts.dismissed) == (1, 0, 1)
    assert perform(ledger, Action.RETRY, Selection(ids=(row_id,))) == 0
    assert perform(ledger, Action.RESTORE, Selection(ids=(row_id,))) == 1
    counts = ledger.counts()
    assert (counts.queued, counts.failed, counts.dismissed) == (1, 1, 0)


def test_what_is_fetched_again_keeps_its_file_until_the_new_one(
    ledger: Ledger, database_url: str
) -> None:
    row_id = sync(ledger, "a")
    assert ledger.counts().bytes_stored == 3
    assert perform(ledger, Action.FETCH_AGAIN, Selection(ids=(row_id,))) == 1
    assert (ledger.counts().synced, ledger.counts().bytes_stored) == (0, 0)
    settle(ledger, row_id, Outcome.FAILED, "gone")
    columns = "SELECT state::text, file_path, size_bytes, etag, verified_by FROM file_sync"
    assert query(database_url, columns) == [("failed", "a", 3, "e", "md5")]
    perform(ledger, Action.RETRY, Selection())
    (claim,) = ledger.claim([row_id], lease_seconds=60, max_attempts=1)
    fetched = Fetched(4, b"y" * 32, None, "size")
    ledger.settle([Settlement(claim, Outcome.SYNCED, fetched=fetched)])
    assert query(database_url, columns) == [("synced", "a", 4, None, "size")]
    assert ledger.counts().bytes_stored == 4


def test_retry_now_lets_what_waits_be_attempted_at_once(ledger: Ledger) -> None:
    waiting, fresh, failed = record(ledger, "a"), record(ledger, "b"), fail(ledger, "c")
    settle(ledger, waiting, Outcome.RETRY, "timeout")
    assert ledger.claim([waiting], lease_seconds=60, max_attempts=8) == []
    assert perform(ledger, Action.RETRY_NOW, Selection()) == 2
    claims = ledger.claim([waiting, fresh, failed], lease_seconds=60, max_attempts=8)
    assert {claim.wanted.row_id for claim in claims} == {waiting, fresh, failed}


def test_a_row_that_a_worker_holds_is_left_alone(ledger: Ledger) -> None:
    row_id = record(ledger, "a")
    ledger.claim([row_id], lease_seconds=60, max_attempts=8)
    assert perform(ledger, Action.RETRY_NOW, Selection()) == 0


def test_a_verification_is_asked_for_once_and_forgotten_with_the_file(
    ledger: Ledger, database_url: str
) -> None:
    row_id = sync(ledger, "a")
    for _ in range(2):
        assert perform(ledger, Action.VERIFY, Selection(ids=(row_id,))) == 1
    assert query(database_url, "SELECT file_sync_id, result FROM verification") == [(row_id, None)]
    perform(ledger, Action.FETCH_AGAIN, Selection(ids=(row_id,)))
    assert query(database_url, "SELECT file_sync_id FROM verification") == []


def test_history_and_audit_keep_who_did_what_and_why_it_had_failed(ledger: Ledger) -> None:
    row_id, other = fail(ledger, "a", "NoSuchKey: gone"), sync(ledger, "b")
    selection = Selection(states=(State.FAILED,), reason="nosuch")
    performed = ledger.actions.perform(Action.RETRY, selection, "admin: jane")
    (newest,) = ledger.actions.newest(10)
    assert newest == performed
    assert (newest.actor, newest.selection, newest.objects) == ("admin: jane", selection, 1)
    (noted,) = ledger.actions.on(row_id)
    assert (noted.action, noted.actor, noted.reason) == (
        Action.RETRY, "admin: jane", "NoSuchKey: gone",
    )  # fmt: skip
    assert ledger.actions.on(other) == []
    assert ledger.actions.changed_by(performed.id, [row_id, other]) == {row_id}
    assert ledger.actions.newest(10, before_id=newest.id) == []


def test_objects_that_come_or_fail_later_are_not_meant(ledger: Ledger, by_two: Actions) -> None:
    for name in "abc":
        fail(ledger, name)
    action_id = by_two.begin(Action.RETRY, Selection(), "test")
    assert by_two.advance(action_id) == 2
    fail(ledger, "d")
    assert by_two.advance(action_id) == 1
    assert by_two.advance(action_id) is None
    assert ledger.counts().failed == 1


def test_an_action_whose_caller_is_gone_is_finished_by_others(
    ledger: Ledger, by_two: Actions
) -> None:
    for name in "abcde":
        fail(ledger, name)
    action_id = by_two.begin(Action.DISMISS, Selection(), "test")
    by_two.advance(action_id)
    assert by_two.get(action_id).finished_at is None
    assert by_two.finish() == 3
    assert by_two.get(action_id).objects == 5
    assert by_two.finish() == 0


def test_a_filter_that_selects_little_is_searched_range_by_range(
    ledger: Ledger, database_url: str
) -> None:
    rows = [fail(ledger, name) for name in "abcdef"]
    database = Database(database_url, *QUERIES)
    narrow = Actions(database, slice_size=2, reach=2)
    action_id = narrow.begin(Action.RETRY, Selection(name="f"), "test")
    # Of ids from 1, each slice looks at two: only the last one has the object.
    assert [narrow.advance(action_id) for _ in range(3)] == [0, 0, 1]
    assert narrow.get(action_id).finished_at is not None
    assert narrow.advance(action_id) is None
    everything = narrow.perform(Action.RETRY, Selection(), "test")
    assert (everything.objects, everything.finished_at is not None) == (5, True)
    assert narrow.perform(Action.DISMISS, Selection(ids=(rows[5],)), "test").objects == 0
    database.close()


def test_what_an_action_changed_can_be_selected(ledger: Ledger) -> None:
    fail(ledger, "a")
    performed = ledger.actions.perform(Action.DISMISS, Selection(), "test")
    fail(ledger, "b")
    ledger.actions.perform(Action.DISMISS, Selection(), "test")
    undone = ledger.actions.perform(Action.RESTORE, Selection(changed_by=performed.id), "test")
    assert undone.objects == 1
    assert ledger.counts().dismissed == 1


def test_an_unknown_action_is_none(ledger: Ledger) -> None:
    with pytest.raises(LookupError):
        ledger.actions.get(99)


def set_created(url: str, name: str, at: datetime) -> None:
    execute(url, f"UPDATE file_sync SET created_at = '{at.isoformat()}' WHERE file_name = '{name}'")


@pytest.mark.parametrize(
    ("selection", "meant"),
    [
        (Selection(), "abcdef"),
        (Selection(states=(State.FAILED,)), "cd"),
        (Selection(states=(State.FAILED, State.SYNCED)), "cdef"),
        (Selection(reason="denied"), "d"),
        (Selection(reason="100%"), "c"),
        (Selection(reason="1__%"), ""),
        (Selection(exact_reason="AccessDenied"), "d"),
        (Selection(exact_reason="Access"), ""),
        (Selection(text="D.JP"), "d"),
        (Selection(text="ref-none"), ""),
        (Selection(changed_by=1), ""),
        (Selection(name="x/?.jpg"), "abcdef"),
        (Selection(name="x/a*"), "a"),
        (Selection(name="x/a"), ""),
        (Selection(name="%"), ""),
        (Selection(file_type="image/jpeg"), "abcdef"),
        (Selection(file_type="image/png"), ""),
        (Selection(origin=Origin.REQUEST), "abcdef"),
        (Selection(origin=Origin.S3_EVENT), ""),
        (Selection(failed_from=NOW - timedelta(days=1)), "cd"),
        (Selection(failed_before=NOW - timedelta(days=1)), ""),
        (Selection(synced_from=NOW - timedelta(days=1)), "ef"),
        (Selection(synced_before=NOW - timedelta(days=1)), ""),
        (Selection(received_from=NOW - timedelta(days=1)), "bcdef"),
        (Selection(received_before=NOW - timedelta(days=1)), "a"),
        (Selection(verified=(Verification.DAMAGED,)), "e"),
        (Selection(verified=PROBLEMS), "e"),
        (Selection(verified=(Verification.OK,)), "f"),
        (Selection(verified=tuple(Verification)), "ef"),
        (Selection(unverified=True), "abcd"),
    ],
)  # fmt: skip
def test_a_selection_means_what_meets_all_criteria(
    ledger: Ledger, database_url: str, selection: Selection, meant: str
) -> None:
    rows = {
        "a": record(ledger, "x/a.jpg"),
        "b": record(ledger, "x/b.jpg"),
        "c": fail(ledger, "x/c.jpg", "the disk is 100% full"),
        "d": fail(ledger, "x/d.jpg", "AccessDenied: no"),
        "e": sync(ledger, "x/e.jpg"),
        "f": sync(ledger, "x/f.jpg"),
    }
    set_created(database_url, "x/a.jpg", NOW - timedelta(days=2))
    execute(
        database_url,
        "INSERT INTO verification (file_sync_id, result, checked_at) VALUES"
        f" ({rows['e']}, 'damaged', now()), ({rows['f']}, 'ok', now())",
    )
    assert Selection.from_document(selection.document()) == selection
    found = 0
    for action, state in ((Action.RETRY, "cd"), (Action.FETCH_AGAIN, "ef")):
        number = ledger.actions.count(action, selection)
        assert number == len(set(meant) & set(state))
        assert perform(ledger, action, selection) == number
        found += number
    # Those of the other states have been changed to queued, of which none waits for a retry.
    assert found == len(set(meant) & set("cdef"))


def test_verification_results_are_counted_exactly(ledger: Ledger, database_url: str) -> None:
    def counted() -> dict[str, Any]:
        return dict(
            query(
                database_url,
                "SELECT result, sum(objects)::int FROM verification_count"
                " GROUP BY result HAVING sum(objects) <> 0",
            )
        )

    ids = [sync(ledger, name) for name in "abc"]
    values = ", ".join(f"({row_id}, 'ok', now())" for row_id in ids)
    execute(
        database_url,
        f"INSERT INTO verification (file_sync_id, result, checked_at) VALUES {values}",
    )
    assert counted() == {"ok": 3}
    execute(
        database_url, f"UPDATE verification SET result = 'missing' WHERE file_sync_id = {ids[0]}"
    )
    assert counted() == {"ok": 2, "missing": 1}
    perform(ledger, Action.FETCH_AGAIN, Selection(verified=PROBLEMS))
    assert counted() == {"ok": 2}
    execute(database_url, "DELETE FROM file_sync")
    assert counted() == {}


def test_of_objects_that_a_person_deletes_nothing_is_left(
    ledger: Ledger, database_url: str
) -> None:
    def left() -> list[tuple[int, ...]]:
        tables = ("sync_attempt", "action_object", "search_key")
        counts = ", ".join(f"(SELECT count(DISTINCT file_sync_id) FROM {t})" for t in tables)
        return query(database_url, f"SELECT {counts}")

    for name in "ab":
        fail(ledger, name, "no")
    perform(ledger, Action.DISMISS, Selection())
    assert left() == [(2, 2, 2)]
    execute(database_url, "DELETE FROM file_sync WHERE file_name = 'a'")
    assert left() == [(1, 1, 1)]
    execute(database_url, "TRUNCATE file_sync CASCADE")
    assert left() == [(0, 0, 0)]


def test_patterns_of_names() -> None:
    assert like("a_b.jpg") == r"a\_b.jpg"
    assert like("a/*.jp?") == "a/%.jp_"
