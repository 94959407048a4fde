from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.admin.objects.actions import VERIFY_SECONDS, ObjectActions
from functions.admin.objects.listing import Listing
from functions.admin.objects.paging import Paging
from functions.admin.records import QUERIES, Records
from shared.ledger import scanning
from shared.ledger.actions import Action
from shared.ledger.database import Database
from shared.ledger.ledger import Ledger
from shared.storage.reading import StorageReader
from tests.browser import demo


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    ledger = Ledger.at(database_url)
    yield ledger
    ledger.close()


@pytest.fixture
def records(database_url: str) -> Iterator[Records]:
    database = Database(database_url, QUERIES, scanning.QUERIES)
    yield Records(database)
    database.close()


@pytest.fixture
def actions(records: Records, ledger: Ledger, tmp_path: Path) -> ObjectActions:
    return ObjectActions(records, ledger, StorageReader(str(tmp_path)))


def synced(ledger: Ledger, storage: Path, name: str, salt: str = "", content: bytes = b"x") -> int:
    return demo.synced(ledger, storage, demo.Content(name, "image/jpeg", content), salt)


def test_only_failed_objects_are_retried(
    actions: ObjectActions, ledger: Ledger, tmp_path: Path
) -> None:
    failed = demo.failed(ledger, "a", "gone")
    done = synced(ledger, tmp_path, "b")
    report = actions.perform(Action.RETRY, [failed, done], "root")
    assert (report.title, report.ok) == ("1 of 2 queued for retry", False)
    assert [line.message for line in report.lines] == [
        "queued for retry",
        "skipped: already synced",
    ]
    again = actions.perform(Action.RETRY, [failed], "root")
    assert (again.title, again.ok) == ("0 of 1 queued for retry", False)
    assert again.lines[0].message == "skipped: already queued"


def test_one_files_verdict_is_the_title(
    actions: ObjectActions, ledger: Ledger, tmp_path: Path
) -> None:
    row_id = synced(ledger, tmp_path, "a")
    file = tmp_path / "a"

    def title() -> tuple[str, str, bool]:
        report = actions.verify([row_id], "root")
        return report.title, report.lines[0].message, report.ok

    assert title() == ("The file matches the original", "OK", True)
    file.write_bytes(b"y")
    assert title() == (
        "The file differs from the original", "differs from the original", False
    )  # fmt: skip
    file.unlink()
    assert title() == ("The file is missing", "is missing", False)
    file.mkdir()
    assert title() == ("The file can't be read", "can't be read", False)
    later = synced(ledger, tmp_path / "elsewhere", "a", "later", b"z")
    file.rmdir()
    file.write_bytes(b"z")
    assert title()[0] == f"The file was replaced by object {later}"


def test_files_that_no_time_is_left_for_are_not_checked(
    records: Records, ledger: Ledger, tmp_path: Path
) -> None:
    row_ids = [synced(ledger, tmp_path, name) for name in "ab"]
    # Begins, asks before the first file and in it, then finds the time over.
    seconds = itertools.chain([0.0, 0.0, 0.0], itertools.repeat(VERIFY_SECONDS))
    actions = ObjectActions(records, ledger, StorageReader(str(tmp_path)), lambda: next(seconds))
    report = actions.verify(row_ids, "root")
    assert report.title == "1 of 2 files match the originals"
    assert [line.message.partition(":")[0] for line in report.lines] == ["OK", "was not checked"]


def test_nothing_selected_is_reported(actions: ObjectActions) -> None:
    for report in (actions.perform(Action.RETRY, [], "root"), actions.verify([], "root")):
        assert (report.title, report.ok, report.lines) == ("Nothing selected", False, ())


def test_what_was_found_is_kept_and_listed(
    actions: ObjectActions, ledger: Ledger, records: Records, database_url: str, tmp_path: Path
) -> None:
    sound, damaged = (synced(ledger, tmp_path, name) for name in "ab")
    (tmp_path / "b").write_bytes(b"y")
    actions.verify([sound, damaged], "root")
    kept = {row_id: records.object(row_id) for row_id in (sound, damaged)}
    assert [object_ and object_.verification for object_ in kept.values()] == ["ok", "damaged"]
    assert ledger.verifications.problems() == 1
    database = Database(database_url, QUERIES, scanning.QUERIES)
    try:
        listed = Paging(database).page(Listing.from_query({"verified": "problem"})).rows
        none = Paging(database).page(Listing.from_query({"verified": "problem", "q": "a"})).rows
    finally:
        database.close()
    assert [row.id for row in listed] == [damaged]
    assert none == []
