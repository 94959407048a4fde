from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from shared.ledger.database import Database
from shared.ledger.ledger import QUERIES
from shared.ledger.runs import Finding, Kind, Runs, RunState


@pytest.fixture
def processes(database_url: str) -> Iterator[tuple[Runs, Runs]]:
    with ExitStack() as stack:
        databases = [Database(database_url, *QUERIES) for _ in range(2)]
        for database in databases:
            stack.callback(database.close)
        yield Runs(databases[0]), Runs(databases[1])


def begin(runs: Runs, kind: Kind = Kind.SCRUB) -> int:
    run_id = runs.begin(kind, "test", {"share": "5%"})
    assert run_id is not None
    return run_id


def test_one_run_of_a_kind_is_running(processes: tuple[Runs, Runs]) -> None:
    runs, other = processes
    run_id = begin(runs)
    assert other.begin(Kind.SCRUB, "test", {}) is None
    begin(other, Kind.RECONCILE)
    assert runs.end(run_id, RunState.FINISHED)
    assert not runs.end(run_id, RunState.CANCELLED)
    assert begin(other) != run_id


def test_another_process_goes_on_where_the_first_one_was(processes: tuple[Runs, Runs]) -> None:
    first, second = processes
    run_id = begin(first)
    taken = first.take(Kind.SCRUB)
    assert taken is not None
    assert (taken.id, taken.position, taken.options) == (run_id, None, {"share": "5%"})
    assert second.take(Kind.SCRUB) is None
    assert first.save(run_id, {"after": 7}, {"ok": 7})
    assert second.take(Kind.SCRUB) is None
    assert first.save(run_id, {"after": 9}, {"ok": 9}, lease_seconds=0)  # and dies
    again = second.take(Kind.SCRUB)
    assert again is not None
    assert (again.position, again.numbers) == ({"after": 9}, {"ok": 9})
    assert not first.save(run_id, {"after": 8}, {"ok": 8}, [Finding("late", "x")])
    assert list(first.findings(run_id)) == []
    second.release(run_id)
    assert first.take(Kind.SCRUB) is not None


def test_a_cancelled_run_is_noticed_by_its_process(processes: tuple[Runs, Runs]) -> None:
    first, second = processes
    run_id = begin(first)
    first.take(Kind.SCRUB)
    assert second.end(run_id, RunState.CANCELLED)
    assert not first.save(run_id, 1, {})
    assert second.take(Kind.SCRUB) is None
    assert second.get(run_id).state is RunState.CANCELLED


def test_findings_are_read_in_order_and_kept_once(processes: tuple[Runs, Runs]) -> None:
    runs, _ = processes
    run_id = begin(runs)
    runs.take(Kind.SCRUB)
    found = [Finding("missed", f"{n:04}\ud800", size=n) for n in range(1_200)]
    found.append(Finding("damaged", "z", row_id=3, etag="e", detail="size 3, not 4"))
    for _ in range(2):
        assert runs.save(run_id, 1, {}, found)
    kept = list(runs.findings(run_id))
    assert kept[0] == found[-1]
    assert [finding.size for finding in kept[1:]] == list(range(1_200))
    assert list(runs.findings(run_id, ["damaged"])) == found[-1:]


def test_runs_are_listed_newest_first(processes: tuple[Runs, Runs]) -> None:
    runs, _ = processes
    first, second = begin(runs), begin(runs, Kind.RECONCILE)
    assert [run.id for run in runs.newest(10)] == [second, first]
    assert [run.id for run in runs.newest(10, Kind.SCRUB)] == [first]
    assert [run.id for run in runs.newest(10, before_id=second)] == [first]
    with pytest.raises(LookupError):
        runs.get(99)
