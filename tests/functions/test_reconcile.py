from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from functions.reconcile import bucket as bucket_module
from functions.reconcile.places import Places
from functions.reconcile.service import Reconcile
from functions.reconcile.wiring import build
from shared.aws.s3 import s3_client
from shared.config.settings import Settings
from shared.ledger.actions import Action
from shared.ledger.ledger import Ledger
from shared.ledger.reconciling import Known
from shared.ledger.runs import Kind, Run, RunState
from shared.ledger.selection import Selection
from shared.sources.s3.listing import S3Listing
from shared.storage.inventory import Inventory
from shared.storage.local import LocalStorage
from tests.browser import demo
from tests.helpers.bucket_rule import BucketRule, Listed, md5
from tests.helpers.paths import ROOT
from tests.helpers.roles import open_ledger, own_ledger
from tests.helpers.s3_server import Answer, FaultyServer, error
from tests.helpers.servers import execute, query

CONTENT = b"x" * 9
SAME = Listed(len(CONTENT), md5(CONTENT))


class KeptListing(S3Listing):
    """A listing for several runs: boto3 takes long to be set up."""

    def close(self) -> None:
        pass

    def end(self) -> None:
        super().close()


class Copy:
    """A ledger and a storage beside a bucket that only lists."""

    def __init__(self, url: str, ledger: Ledger, storage: Path) -> None:
        self.url, self.ledger, self.storage = url, ledger, storage
        self.rule = BucketRule({})
        self.server = FaultyServer(self.rule)
        self.listing = KeptListing(self.settings, lambda _: None)

    def has(self, *names: str, listed: Listed | None = SAME, content: bytes = CONTENT) -> list[int]:
        """Make copies of objects that are in the bucket, unless they are `listed` as None."""
        ids = []
        for name in names:
            found = demo.Content(name, "image/jpeg", content)
            ids.append(demo.synced(self.ledger, self.storage, found, uuid.uuid4().hex))
            if listed:
                self.rule.objects[name] = listed
        execute(self.url, f"UPDATE file_sync SET etag = '{md5(content)}' WHERE etag IS NULL")
        return ids

    def service(self, days: float = 0) -> Reconcile:
        own = own_ledger(self.ledger, "reconcile")
        owned = LocalStorage(self.storage, owner=own.installation)
        places = Places(own, Inventory(str(self.storage)), owned, lambda: datetime.now(UTC))
        return Reconcile(places, lambda: self.listing, days)

    @property
    def settings(self) -> Settings:
        return Settings.from_mapping(self.variables)

    @property
    def variables(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self.url,
            "STORAGE_PATH": str(self.storage),
            "AWS_S3_BUCKET_NAME": "bucket",
            "AWS_S3_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_S3_SECRET_ACCESS_KEY": "hushhush",
            "AWS_S3_REGION_NAME": "us-east-1",
            "AWS_ENDPOINT_URL_S3": self.server.url,
            "SOURCE_STALL_SECONDS": "1",
            "LOCAL_RUN": "1",
        }

    def compare(self, prefix: str = "", *, enqueue: bool = False) -> Run:
        """Run a comparison to its end."""
        service = self.service()
        run_id = service.begin("test", prefix, enqueue=enqueue)
        assert run_id is not None
        report = service.go_on()
        assert report.waiting == ""
        return self.ledger.runs.get(run_id)

    def found(self, run: Run) -> list[tuple[str, str]]:
        return [(one.finding, one.file_name) for one in self.ledger.runs.findings(run.id)]


@pytest.fixture
def copy(database_url: str, tmp_path: Path) -> Iterator[Copy]:
    storage = tmp_path / "storage"
    storage.mkdir()
    ledger = open_ledger(database_url)
    made = Copy(database_url, ledger, storage)
    with made.server:
        yield made
    made.listing.end()
    ledger.close()


def states(url: str) -> dict[str, str]:
    return dict(query(url, "SELECT file_name, state::text FROM file_sync ORDER BY id"))


def numbers(run: Run) -> dict[str, int]:
    left_out = {"bytes", "files", "listed", "recorded", "fetched_again", "folders"}
    return {name: number for name, number in run.numbers.items() if name not in left_out}


def spoiled(copy: Copy) -> None:
    """Make one of each kind."""
    copy.has("a/matching", "missing", "truncated")
    copy.has("newer", listed=Listed(9, md5(b"other")))
    copy.has("larger", listed=Listed(10, md5(b"other")))
    copy.has("gone", listed=None)
    copy.has("gone and missing", listed=None)
    (copy.storage / "missing").unlink()
    (copy.storage / "gone and missing").unlink()
    (copy.storage / "truncated").write_bytes(b"")
    (copy.storage / "orphan").write_bytes(b"12345")
    (copy.storage / ".incoming").mkdir(exist_ok=True)
    (copy.storage / ".incoming" / "999.1.part").write_bytes(b"")
    demo.failed(copy.ledger, "failed", "The object does not exist")
    dismissed = demo.failed(copy.ledger, "dismissed", "The object does not exist")
    copy.ledger.actions.perform(Action.DISMISS, Selection(ids=(dismissed,)), "test")
    [queued] = copy.has("queued")
    copy.ledger.actions.perform(Action.FETCH_AGAIN, Selection(ids=(queued,)), "test")
    for name in ("missed/ü.jpg", "failed", "dismissed"):
        copy.rule.objects[name] = Listed(3)
    copy.rule.objects["folder/"] = Listed(0)
    for name in ("../up", "a\0b", "x" * 1025, "a//b", "end/"):
        copy.rule.objects[name] = Listed(1)


EXPECTED = {
    "matching": 1,
    "missed": 1,
    "missing": 2,
    "different": 3,
    "gone": 2,
    "orphaned": 1,
    "failed": 1,
    "dismissed": 1,
    "queued": 1,
    "refused": 6,
}


@pytest.mark.parametrize("page", [1, 3, 1_000])
def test_everything_is_told_apart(copy: Copy, page: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_module, "MOST_ROWS", page)
    copy.rule.page = page
    spoiled(copy)
    run = copy.compare()
    assert run.state is RunState.FINISHED
    assert numbers(run) == EXPECTED
    assert run.numbers["listed"] == len(copy.rule.objects)
    findings = {(one.finding, one.file_name): one for one in copy.ledger.runs.findings(run.id)}
    assert findings["refused", "folder/"].detail == "it marks a folder, and has no content"
    assert findings["refused", "../up"].detail == 'its name has a ".." path segment'
    assert findings["different", "truncated"].detail == "the file has 0 bytes, the copy had 9"
    assert findings["different", "larger"].detail == "the bucket has 10 bytes, the copy 9"
    assert findings["missing", "gone and missing"].detail == (
        "the bucket has no such object any more"
    )
    assert findings["orphaned", "orphan"].size == 5
    assert set(states(copy.url).values()) == {"synced", "failed", "dismissed", "queued"}


@pytest.mark.parametrize("most", [1, 2, 3, 4, 100])
def test_names_are_known_in_portions_as_one_by_one(copy: Copy, most: int) -> None:
    copy.has("b", "b", "b", "c", "a")
    demo.failed(copy.ledger, "a", "The object does not exist")
    demo.failed(copy.ledger, "d", "The object does not exist")
    copy.compare(enqueue=True)  # "b" has one more row, if its file is not the newest one's
    execute(copy.url, "UPDATE file_sync SET placed_at = now() - id * interval '1 s' WHERE id < 4")
    reconciling = copy.ledger.reconciling
    found: dict[str, Known] = {}
    after, whole = "", False
    while not whole:
        known, whole = reconciling.known_between(after, None, "", most)
        assert list(known) == sorted(known)
        found |= known
        after = next(reversed(known), after)
    assert found == reconciling.known("abcd")
    assert found["b"].stored is not None
    assert found["b"].stored.row_id == 1
    assert reconciling.known_between("a", "c", "", most)[0].keys() <= {"b", "c"}
    assert not reconciling.known_between("d", None, "", most)[0]
    assert not reconciling.known_between("", None, "x", most)[0]


def backwards(key: str) -> bytes:
    return bytes(255 - byte for byte in key.encode())


def test_a_store_with_another_order_is_compared_as_well(copy: Copy) -> None:
    copy.rule = copy.server.answer = BucketRule({}, order=backwards, page=3)
    spoiled(copy)
    expected = {name: number for name, number in EXPECTED.items() if name != "gone"}
    assert numbers(copy.compare()) == expected


def test_what_is_missed_or_wrong_is_queued_once(copy: Copy) -> None:
    spoiled(copy)
    run = copy.compare(enqueue=True)
    assert numbers(run) == EXPECTED
    assert (run.numbers["recorded"], run.numbers["fetched_again"]) == (3, 2)
    rows = query(
        copy.url,
        "SELECT file_name, origin, oeid, ref_id, file_type, request_id, due_at <= now()"
        " FROM file_sync WHERE state = 'queued' AND origin = 'reconcile' ORDER BY file_name",
    )
    unknown = "application/octet-stream"
    assert rows == [
        (name, "reconcile", "", "", kind, f"reconcile-{run.id}", True)
        for name, kind in (
            ("larger", unknown),
            ("missed/ü.jpg", "image/jpeg"),
            ("newer", unknown),
        )
    ]
    assert states(copy.url)["truncated"] == states(copy.url)["missing"] == "queued"
    assert states(copy.url)["gone and missing"] == "synced"  # nothing could be fetched
    again = copy.compare(enqueue=True)
    assert (again.numbers["queued"], again.numbers.get("recorded", 0)) == (6, 0)
    assert len(query(copy.url, "SELECT FROM file_sync WHERE origin = 'reconcile'")) == 3
    [action] = copy.ledger.actions.newest(1)
    assert (action.action, action.actor, action.objects) == (Action.FETCH_AGAIN, "test", 2)


def test_a_version_that_comes_back_is_fetched_again(copy: Copy) -> None:
    copy.has("a", listed=Listed(9, "other"))
    for expected, etag in (("recorded", "other"), ("recorded", "third"), ("again", "other")):
        copy.rule.objects["a"] = Listed(9, etag)
        run = copy.compare(enqueue=True)
        key = "recorded" if expected == "recorded" else "fetched_again"
        assert run.numbers[key] == 1
        execute(
            copy.url,
            "UPDATE file_sync SET state = 'synced', synced_at = now(), placed_at = now(),"
            f" file_path = 'a', size_bytes = 9, sha256 = '\\x{'00' * 32}', etag = '{etag}'"
            " WHERE state = 'queued'",
        )
    assert copy.compare().numbers["matching"] == 1


def test_a_store_that_lists_other_etags_than_it_sends_is_not_copied_for_ever(copy: Copy) -> None:
    copy.rule.objects["a"] = Listed(9, "listed")
    copy.compare(enqueue=True)
    (copy.storage / "a").write_bytes(CONTENT)
    execute(
        copy.url,
        "UPDATE file_sync SET state = 'synced', synced_at = now(), placed_at = now(),"
        f" file_path = 'a', size_bytes = 9, sha256 = '\\x{'00' * 32}', etag = 'sent'",
    )
    run = copy.compare(enqueue=True)
    assert numbers(run) == {"matching": 1}


def test_only_the_date_decides_where_there_is_no_etag(copy: Copy) -> None:
    copy.has("older", "newer")
    copy.rule.objects["newer"] = Listed(9, md5(CONTENT), datetime.now(UTC))
    run = copy.compare()
    assert numbers(run) == {"matching": 2}
    execute(copy.url, "UPDATE file_sync SET etag = NULL, placed_at = now() - interval '1 h'")
    assert copy.found(copy.compare()) == [("different", "newer")]


def test_what_is_newer_than_the_run_is_left_to_the_next(copy: Copy) -> None:
    copy.rule.objects["put now"] = Listed(1, modified=datetime.now(UTC) + timedelta(seconds=9))
    copy.rule.objects["dated by hand"] = Listed(1, modified=datetime(2099, 1, 1, tzinfo=UTC))
    service = copy.service()
    run_id = service.begin("test")
    assert run_id is not None
    copy.has("synced now", listed=Listed(1))
    (copy.storage / "synced now").unlink()
    service.go_on()
    run = copy.ledger.runs.get(run_id)
    assert numbers(run) == {"later": 2, "missed": 1}
    assert copy.found(run) == [("missed", "dated by hand")]


def test_a_prefix_is_compared_alone(copy: Copy) -> None:
    for name in ("a", "b/1", "b/2", "b%", "c"):
        copy.has(name)
        (copy.storage / f"{name}.orphan").write_bytes(b"")
    (copy.storage / "b" / "2").unlink()
    (copy.storage / "c").unlink()
    run = copy.compare("b/")
    assert copy.found(run) == [
        ("missing", "b/2"),
        ("orphaned", "b/1.orphan"),
        ("orphaned", "b/2.orphan"),
    ]
    assert numbers(copy.compare("b%")) == {"matching": 1, "orphaned": 1}


def test_names_that_differ_in_case_are_two(copy: Copy) -> None:
    copy.has("img.jpg", "IMG.JPG", "e\u0301", "\u00e9")
    assert numbers(copy.compare()) == {"matching": 4}
    (copy.storage / "IMG.JPG").unlink()
    assert copy.found(copy.compare()) == [("missing", "IMG.JPG")]


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (error(403, "AccessDenied"), "s3:ListBucket is not granted"),
        (error(500, "InternalError"), "500 InternalError"),
        (Answer(200, {"Content-Type": "text/html"}, b"<html>Log in</html>"), "not answer like S3"),
    ],
)
def test_a_bucket_that_cannot_be_listed_to_its_end_is_not_taken_for_empty(
    copy: Copy, refusal: Answer, reason: str
) -> None:
    copy.rule.page = 2
    copy.has(*(f"k{n}" for n in range(6)))
    (copy.storage / "k1").unlink()
    (copy.storage / "k5").unlink()
    copy.rule.refusals = iter([None, *[refusal] * 9])
    service = copy.service()
    run_id = service.begin("test")
    assert run_id is not None
    assert reason in service.go_on().waiting
    run = copy.ledger.runs.get(run_id)
    assert run.state is RunState.RUNNING
    assert reason in (run.error or "")
    assert copy.found(run) == [("missing", "k1")]
    copy.rule.refusals = iter(())
    assert service.go_on().waiting == ""
    run = copy.ledger.runs.get(run_id)
    assert (run.state, run.error) == (RunState.FINISHED, None)
    assert copy.found(run) == [("missing", "k1"), ("missing", "k5")]
    assert numbers(run) == {"matching": 4, "missing": 2}


def test_a_storage_that_is_not_mounted_is_not_taken_for_empty(copy: Copy, tmp_path: Path) -> None:
    copy.has("a", "b")
    assert copy.compare().numbers["matching"] == 2  # it has the mark now
    away = tmp_path / "away"
    copy.storage.rename(away)
    for make_mount_point in (False, True):
        if make_mount_point:
            copy.storage.mkdir()
        service = copy.service()
        service.begin("test")
        assert "storage" in service.go_on().waiting
        [run] = copy.ledger.runs.newest(1)
        assert copy.found(run) == []
    copy.storage.rename(tmp_path / "empty")
    away.rename(copy.storage)
    copy.service().go_on()
    [run] = copy.ledger.runs.newest(1)
    assert (run.state, numbers(run)) == (RunState.FINISHED, {"matching": 2})


def test_a_call_ends_between_two_steps_and_the_next_goes_on(copy: Copy) -> None:
    copy.rule.page = 2
    spoiled(copy)
    run_id = copy.service().begin("test", enqueue=True)
    assert run_id is not None
    calls = 0
    while copy.ledger.runs.get(run_id).state is RunState.RUNNING:
        copy.service().go_on(lambda: False)
        calls += 1
    run = copy.ledger.runs.get(run_id)
    assert calls > len(copy.rule.objects) / 2
    assert numbers(run) == EXPECTED
    assert (run.numbers["recorded"], run.numbers["fetched_again"]) == (3, 2)


def test_a_cancelled_run_ends(copy: Copy) -> None:
    copy.rule.page = 1
    copy.has("a", "b", "c")
    service = copy.service()
    run_id = service.begin("test")
    assert run_id is not None
    assert service.begin("test") is None
    service.go_on(lambda: copy.ledger.runs.end(run_id, RunState.CANCELLED))
    assert copy.ledger.runs.get(run_id).state is RunState.CANCELLED
    assert service.go_on().listed == 0


def test_the_schedule_begins_a_run_when_it_is_due(copy: Copy) -> None:
    copy.has("a")
    assert copy.service(0).run().listed == 0
    assert copy.service(7).run().listed == 1
    assert copy.service(7).run().listed == 0
    execute(copy.url, "UPDATE run SET begun_at = now() - interval '8 d'")
    assert copy.service(7).run().listed == 1
    assert [run.actor for run in copy.ledger.runs.newest(9, Kind.RECONCILE)] == ["schedule"] * 2


KILLED = """
from functions.reconcile import wiring
from shared.ledger.runs import Runs

begun = Runs.save
def save(self, *arguments, **more):
    held = begun(self, *arguments, **more)
    print("saved", flush=True)
    input()
    return held
Runs.save = save
wiring.reconcile().go_on()
"""


def test_another_process_goes_on_after_one_was_killed(copy: Copy) -> None:
    copy.rule.page = 2
    copy.has(*(f"k{n}" for n in range(6)))
    for name in ("k0", "k5"):
        (copy.storage / name).unlink()
    run_id = copy.service().begin("test", enqueue=True)
    assert run_id is not None
    with subprocess.Popen(
        [sys.executable, "-c", KILLED],
        cwd=ROOT,
        env={**copy.variables, "PATH": os.environ["PATH"]},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"saved\n"
        process.send_signal(signal.SIGKILL)
    assert copy.ledger.runs.get(run_id).numbers["listed"] == 2
    assert copy.service().go_on().listed == 0  # its lease has not ended
    execute(copy.url, "UPDATE run SET leased_until = now()")
    assert copy.service().go_on().listed == 4
    run = copy.ledger.runs.get(run_id)
    assert numbers(run) == {"matching": 4, "missing": 2}
    assert run.numbers["fetched_again"] == 2
    assert states(copy.url)["k0"] == states(copy.url)["k5"] == "queued"


def test_a_bucket_that_was_there_before_is_taken_over(
    s3_endpoint: str, database_url: str, tmp_path: Path
) -> None:
    bucket = f"test-{uuid.uuid4().hex}"
    settings = Settings.from_mapping(
        {
            "DATABASE_URL": database_url,
            "STORAGE_PATH": str(tmp_path),
            "AWS_S3_BUCKET_NAME": bucket,
            "AWS_S3_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_S3_SECRET_ACCESS_KEY": "hushhush",
            "AWS_ENDPOINT_URL_S3": s3_endpoint,
        }
    )
    client: Any = s3_client(settings)
    client.create_bucket(Bucket=bucket)
    for key in ("a b+c.jpg", "ü/日本.txt", "%41"):
        client.put_object(Bucket=bucket, Key=key, Body=key.encode())
    ledger = Ledger.at(database_url)
    try:
        service = build(settings, ledger)
        execute(database_url, "ALTER TABLE run ALTER begun_at SET DEFAULT now() + interval '1 s'")
        service.begin("test", enqueue=True)
        assert service.go_on().listed == 3
        assert ledger.counts().queued == 3
    finally:
        ledger.close()
    assert query(database_url, "SELECT DISTINCT origin FROM file_sync") == [("reconcile",)]
