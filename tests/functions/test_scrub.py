from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from functions.scrub import service as service_module
from functions.scrub.checking import Checker
from functions.scrub.service import Scrub
from shared.errors import StorageForeign
from shared.ledger.actions import Action
from shared.ledger.ledger import Ledger
from shared.ledger.runs import Kind, RunState
from shared.ledger.selection import Selection, Verification
from shared.ledger.verifications import Part
from shared.storage.local import LocalStorage
from shared.storage.reading import StorageReader
from tests.browser import demo
from tests.helpers.roles import open_ledger, own_ledger
from tests.helpers.servers import execute, query


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    ledger = open_ledger(database_url)
    yield ledger
    ledger.close()


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    folder = tmp_path / "storage"
    folder.mkdir()
    return folder


def service(ledger: Ledger, storage: Path, days: float = 0, at: datetime | None = None) -> Scrub:
    own = own_ledger(ledger, "scrub")
    owned = LocalStorage(storage, owner=own.installation)
    checker = Checker(own.verifications, StorageReader(str(storage)), owned)
    return Scrub(own, checker, days, lambda: at or datetime.now(UTC))


def synced(ledger: Ledger, storage: Path, name: str, content: bytes = b"x", salt: str = "") -> int:
    return demo.synced(ledger, storage, demo.Content(name, "image/jpeg", content), salt)


def results(url: str) -> dict[str, str]:
    return dict(
        query(
            url,
            "SELECT file_name, result FROM verification JOIN file_sync ON id = file_sync_id",
        )
    )


def verify(ledger: Ledger, *row_ids: int) -> None:
    ledger.actions.perform(Action.VERIFY, Selection(ids=row_ids or None), "test")


def test_what_was_asked_for_is_read_again(ledger: Ledger, storage: Path, database_url: str) -> None:
    ids = [synced(ledger, storage, name) for name in ("ok", "damaged", "missing", "folder", "left")]
    scrub = service(ledger, storage)
    scrub.run()  # takes the storage
    (storage / "damaged").write_bytes(b"y")
    (storage / "missing").unlink()
    (storage / "folder").unlink()
    (storage / "folder").mkdir()
    verify(ledger, *ids[:4])
    report = scrub.run()
    assert (report.checked, report.problems) == (4, 3)
    assert results(database_url) == {
        "ok": "ok",
        "damaged": "damaged",
        "missing": "missing",
        "folder": "unreadable",
    }
    assert ledger.verifications.waiting() == 0
    assert scrub.run().checked == 0
    assert ledger.verifications.counts() == dict.fromkeys(
        (Verification.OK, Verification.DAMAGED, Verification.MISSING, Verification.UNREADABLE), 1
    )


def test_a_file_that_is_put_right_is_found_so(
    ledger: Ledger, storage: Path, database_url: str
) -> None:
    row_id = synced(ledger, storage, "a")
    scrub = service(ledger, storage)
    (storage / "a").write_bytes(b"y")
    for content, result in ((b"y", "damaged"), (b"x", "ok")):
        (storage / "a").write_bytes(content)
        verify(ledger, row_id)
        scrub.run()
        assert results(database_url) == {"a": result}


def test_an_older_object_of_a_name_is_replaced_not_damaged(
    ledger: Ledger, storage: Path, database_url: str
) -> None:
    older = synced(ledger, storage, "a", b"old", "1")
    newer = synced(ledger, storage, "a", b"new", "2")
    # Being fetched again, it is not synced, and the file is its still.
    ledger.actions.perform(Action.FETCH_AGAIN, Selection(ids=(newer,)), "test")
    verify(ledger)
    service(ledger, storage).run()
    assert query(database_url, "SELECT file_sync_id, result FROM verification") == [
        (older, "replaced")
    ]


def test_an_empty_mount_point_is_no_loss(ledger: Ledger, storage: Path, tmp_path: Path) -> None:
    synced(ledger, storage, "a")
    verify(ledger)
    service(ledger, storage).run()
    (tmp_path / "empty").mkdir()
    verify(ledger)
    with pytest.raises(StorageForeign):
        service(ledger, tmp_path / "empty").run()
    assert ledger.verifications.counts() == {Verification.OK: 1}
    assert ledger.verifications.waiting() == 1


def test_a_run_over_everything_is_resumed_by_another_process(
    ledger: Ledger, storage: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "SLICE_FILES", 2)
    for name in "abcde":
        synced(ledger, storage, name)
    (storage / "d").write_bytes(b"y")
    first = service(ledger, storage)
    run_id = first.begin("test", Part())
    assert run_id is not None
    assert first.begin("test", Part()) is None
    slices = iter([True] * 7 + [False] * 99)  # the first slice, and no more
    assert first.go_on(lambda: next(slices)).checked == 2
    other = Ledger.at(database_url)
    try:
        report = service(other, storage).go_on()
    finally:
        other.close()
    assert (report.checked, report.problems) == (3, 1)
    run = ledger.runs.get(run_id)
    assert run.state is RunState.FINISHED
    assert run.numbers == {"checked": 5, "bytes": 5, "ok": 4, "damaged": 1}
    assert [(f.finding, f.file_name) for f in ledger.runs.findings(run_id)] == [("damaged", "d")]


def test_a_run_fetches_again_what_is_damaged_if_it_is_told_to(
    ledger: Ledger, storage: Path
) -> None:
    synced(ledger, storage, "a")
    synced(ledger, storage, "b")
    (storage / "a").write_bytes(b"y")
    scrub = service(ledger, storage)
    scrub.begin("test", Part(), fetch_again=True)
    scrub.run()
    assert (ledger.counts().synced, ledger.counts().queued) == (1, 1)
    (performed,) = ledger.actions.newest(10)
    assert (performed.action, performed.objects) == (Action.FETCH_AGAIN, 1)


def test_a_cancelled_run_ends(ledger: Ledger, storage: Path) -> None:
    synced(ledger, storage, "a")
    scrub = service(ledger, storage)
    run_id = scrub.begin("test", Part()) or 0
    ledger.runs.end(run_id, RunState.CANCELLED)
    assert scrub.go_on().checked == 0


@pytest.mark.parametrize(
    ("text", "least", "most"), [("100%", 200, 200), ("50%", 60, 140), ("1/4", 50, 50)]
)
def test_a_part_is_read(
    ledger: Ledger, storage: Path, database_url: str, text: str, least: int, most: int
) -> None:
    synced(ledger, storage, "a")
    copy_rows(database_url, storage, 199)
    scrub = service(ledger, storage)
    scrub.begin("test", Part.parse(text))
    assert least <= scrub.go_on().checked <= most


def copy_rows(url: str, storage: Path, number: int) -> None:
    execute(
        url,
        "INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id,"
        " state, synced_at, file_path, size_bytes, sha256) SELECT oeid, ref_id, n::text, file_type,"
        " sha256(n::text::bytea), '', state, synced_at, n::text, size_bytes, sha256"
        f" FROM file_sync, generate_series(1, {number}) AS n",
    )
    for name in range(1, number + 1):
        (storage / str(name)).write_bytes(b"x")


@pytest.mark.parametrize("text", ["", "0%", "101%", "5", "0/3", "4/3", "1/0", "-1%", "half"])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        Part.parse(text)


def test_the_schedule_spreads_a_run_over_its_days(
    ledger: Ledger, storage: Path, database_url: str
) -> None:
    synced(ledger, storage, "a")
    copy_rows(database_url, storage, 999)
    now = datetime.now(UTC)
    checked = []
    for days in (0, 0, 15, 29, 31, 32):
        report = service(ledger, storage, days=30, at=now + timedelta(days=days)).run()
        checked.append(report.checked)
    assert checked[0] == service_module.SLICE_FILES
    assert checked[1] == 0
    assert sum(checked[:3]) < 800
    assert sum(checked[:5]) == 1_000
    assert checked[5] > 0
    assert [run.actor for run in ledger.runs.newest(10, Kind.SCRUB)] == ["schedule"] * 2


def test_no_more_is_read_than_allowed(ledger: Ledger, storage: Path) -> None:
    megabyte = b"x" * 1_000_000
    for name in "ab":
        synced(ledger, storage, name, megabyte)
    scrub = service(ledger, storage)
    scrub.begin("test", Part(), bytes_per_second=4_000_000)
    begun = datetime.now(UTC)
    assert scrub.go_on().checked == 2
    assert datetime.now(UTC) - begun >= timedelta(seconds=0.4)


def test_a_file_that_takes_longer_than_a_call_is_skipped(ledger: Ledger, storage: Path) -> None:
    synced(ledger, storage, "a")
    synced(ledger, storage, "b")
    seconds = iter([0.0, service_module.LONG_SECONDS + 1])
    checker = Checker(
        ledger.verifications,
        StorageReader(str(storage)),
        LocalStorage(storage, owner=ledger.installation),
    )
    scrub = Scrub(ledger, checker, clock=lambda: next(seconds))
    run_id = scrub.begin("test", Part()) or 0
    left = iter([True, False, False, False, False])
    scrub.go_on(lambda: next(left, False))
    assert [f.finding for f in ledger.runs.findings(run_id)] == ["unchecked"]
    assert ledger.runs.get(run_id).position == 1


def test_requests_that_no_time_is_left_for_let_others_go_first(
    ledger: Ledger, storage: Path
) -> None:
    ids = [synced(ledger, storage, name) for name in "ab"]
    verify(ledger, ids[0])
    verify(ledger, ids[1])
    stopped = threading.Event()
    left = iter([True])
    report = service(ledger, storage).verify_requested(lambda: next(left, stopped.is_set()))
    assert report.checked == 0
    assert len(ledger.verifications.requested(10)) == 2


def test_the_schedule_goes_on_where_a_persons_run_has_ended_it(
    ledger: Ledger, storage: Path
) -> None:
    ids = [synced(ledger, storage, f"{n}") for n in range(4)]
    scrub = service(ledger, storage, days=4)
    scrub.run()  # all of so few are read in the first slice
    (first,) = ledger.runs.newest(9)
    assert ledger.runs.take(Kind.SCRUB) is not None
    assert ledger.runs.save(first.id, ids[1], {"checked": 2})
    ledger.runs.end(first.id, RunState.CANCELLED)
    own = scrub.begin("jane", Part())
    assert own is not None
    assert scrub.run(only="requested").checked == 0
    assert scrub.run(only="run").checked == 4
    assert ledger.runs.get(own).state is RunState.FINISHED
    assert scrub.run().checked == 2
    resumed = ledger.runs.newest(1)[0]
    assert (resumed.actor, resumed.options["after_id"]) == ("schedule", ids[1])
    assert resumed.options["seconds"] == pytest.approx(2 * 86_400)
