"""Verification on the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

from local.commands.verify import bytes_of
from shared.ledger.actions import Action
from shared.ledger.ledger import Ledger
from shared.ledger.runs import Kind, RunState
from shared.ledger.selection import Selection, Verification
from shared.ledger.verifications import Part
from shared.storage.local import LocalStorage
from tests.browser import demo
from tests.functions.test_scrub import service
from tests.helpers.paths import ROOT
from tests.helpers.project import environment
from tests.helpers.waiting import until
from tests.local.commands.conftest import Sync

NAMES = ("ok.jpg", "damaged.jpg", "missing.jpg", "ö.png")


@dataclass(frozen=True)
class Stored:
    """A ledger with four stored files, the first of them by id, of which two are not whole."""

    ledger: Ledger
    folder: Path
    variables: dict[str, str]
    ids: dict[str, int]


@pytest.fixture
def stored(database_url: str, tmp_path: Path) -> Iterator[Stored]:
    ledger = Ledger.at(database_url)
    folder = tmp_path / "storage"
    folder.mkdir()
    ids = {
        name: demo.synced(ledger, folder, demo.Content(name, "image/jpeg", b"x" * 1000), "")
        for name in NAMES
    }
    LocalStorage(folder, owner=ledger.installation).check_owner()
    (folder / "damaged.jpg").write_bytes(b"y" * 1000)
    (folder / "missing.jpg").unlink()
    yield Stored(ledger, folder, {"DATABASE_URL": database_url, "STORAGE_PATH": str(folder)}, ids)
    ledger.close()


@pytest.mark.parametrize(
    ("text", "number"),
    [("50MB", 50_000_000), ("1.5 GiB/s", 3 * 2**29), ("800k", 800_000), ("7", 7), ("2kb/s", 2_000)],
)
def test_a_rate_is_read_as_people_write_it(text: str, number: int) -> None:
    assert bytes_of(text) == number


@pytest.mark.parametrize("text", ["", "0", "-1MB", "fast", "1.5.2M", "0.1", "10XB"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        bytes_of(text)


def test_all_files_are_verified_and_problems_are_named(stored: Stored, sync: Sync) -> None:
    done = sync("verify", "--all", **stored.variables)
    assert done.code == 1
    assert done.out == (
        f"damaged     damaged.jpg  (object {stored.ids['damaged.jpg']})\n"
        f"missing     missing.jpg  (object {stored.ids['missing.jpg']})\n"
        "4 files verified: 2 ok, 1 damaged, 1 missing\n"
    )
    assert "to fetch them again: ./sync fetch-again --verified damaged" in done.err
    shown = sync("verify", "--status", **stored.variables)
    assert shown.code == 1
    assert "Verified    4: 2 ok, 1 damaged, 1 missing\n" in shown.out
    assert "Run 1       finished, 4 files (3.9 KiB)" in shown.out


def test_a_filter_is_verified_and_put_right_on_request(stored: Stored, sync: Sync) -> None:
    fine = sync("verify", "--name", "*.png", str(stored.ids["ok.jpg"]), **stored.variables)
    assert (fine.code, fine.out) == (0, "0 files verified: -\n")
    fine = sync("verify", str(stored.ids["ok.jpg"]), **stored.variables)
    assert (fine.code, fine.out, fine.err) == (0, "1 files verified: 1 ok\n", "")
    done = sync("verify", "--name", "*.jpg", "--fetch-again", "--json", **stored.variables)
    assert (done.code, json.loads(done.out)) == (
        1,
        {
            "run": None,
            "action": 3,
            "unknown_ids": [],
            "finished": True,
            "results": {"damaged": 1, "missing": 1, "ok": 1},
            "problems": 2,
            "fetched_again": 2,
            "findings": [
                {"id": stored.ids[name], "file_name": name, "finding": name.partition(".")[0]}
                for name in ("damaged.jpg", "missing.jpg")
            ],
        },
    )
    assert (stored.ledger.counts().queued, stored.ledger.counts().synced) == (2, 2)
    audit = [(p.action, p.objects) for p in stored.ledger.actions.newest(2)]
    assert audit == [(Action.FETCH_AGAIN, 2), (Action.VERIFY, 3)]


def test_a_run_fetches_again_as_well(stored: Stored, sync: Sync) -> None:
    done = sync("verify", "--all", "--fetch-again", **stored.variables)
    assert done.out.endswith("2 are queued to be fetched again\n"), done.err
    assert stored.ledger.counts().queued == 2


def test_a_part_and_a_rate(stored: Stored, sync: Sync) -> None:
    checked = 0
    for number in (1, 2):
        done = sync(
            "verify", "--part", f"{number}/2", "--rate", "1GB", "--json", **stored.variables
        )
        checked += sum(json.loads(done.out)["results"].values())
    assert checked == 4


def test_a_dry_run_counts(stored: Stored, sync: Sync) -> None:
    done = sync("verify", "--all", "--dry-run", **stored.variables)
    assert (done.code, done.out) == (0, "4 synced objects would be queued for verification\n")
    assert not stored.ledger.verifications.counts()


def test_an_unknown_id_is_a_problem(stored: Stored, sync: Sync) -> None:
    done = sync("verify", str(stored.ids["ok.jpg"]), "9999", **stored.variables)
    assert (done.code, done.out) == (1, "1 files verified: 1 ok\n")
    assert done.err == "there is no object 9999\n"


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "--all 7",
        "--all --part 5%",
        "--part 0%",
        "--rate 5MB",
        "--all --rate x",
        "--status --all",
        "--cancel --fetch-again",
        "--part 5% --dry-run",
    ],
)
def test_what_is_unclear_is_a_usage_error(typed: str, sync: Sync) -> None:
    done = sync("verify", *typed.split())
    assert (done.code, done.out) == (2, "")


def test_what_was_asked_for_can_be_cancelled(stored: Stored, sync: Sync) -> None:
    scrub = service(stored.ledger, stored.folder)
    run_id = scrub.begin("another", Part(number=1, of=2))
    stored.ledger.actions.perform(Action.VERIFY, Selection(), "test")
    refused = sync("verify", "--all", **stored.variables)
    assert (refused.code, refused.out) == (1, "")
    assert f"run {run_id}, begun by another: see ./sync verify --status" in refused.err
    done = sync("verify", "--cancel", "--json", **stored.variables)
    assert json.loads(done.out) == {"cancelled": [run_id], "withdrawn": 4}
    assert stored.ledger.verifications.waiting() == 0
    again = sync("verify", "--cancel", **stored.variables)
    assert (again.code, again.out) == (0, "0 files are no longer to be verified\n")


def test_the_same_command_goes_on_with_a_run(stored: Stored, sync: Sync) -> None:
    run_id = service(stored.ledger, stored.folder).begin("another", Part())
    done = sync("verify", "--all", "--json", **stored.variables)
    assert (done.code, json.loads(done.out)["run"]) == (1, run_id)


def test_the_schedules_run_gives_way_and_goes_on_afterwards(stored: Stored, sync: Sync) -> None:
    scheduled = service(stored.ledger, stored.folder, days=30)
    scheduled.run()
    assert sync("verify", "--part", "1/2", **stored.variables).code == 1
    runs = stored.ledger.runs.newest(9, Kind.SCRUB)
    assert [(run.actor, run.state) for run in runs[1:]] == [("schedule", RunState.CANCELLED)]
    scheduled.run()
    newest = stored.ledger.runs.newest(1, Kind.SCRUB)[0]
    assert (newest.actor, newest.options["after_id"]) == ("schedule", runs[1].position)
    assert newest.options["seconds"] <= runs[1].options["seconds"]


@pytest.mark.parametrize("asked_for", ["--all", "--name=*"])
def test_ctrl_c_leaves_the_rest_recorded(asked_for: str, stored: Stored, tmp_path: Path) -> None:
    large = demo.Content("large", "image/jpeg", b"x" * 8_000_000)
    demo.synced(stored.ledger, stored.folder, large, "")
    process = subprocess.Popen(
        [sys.executable, "-m", "local", "verify", asked_for, "--rate", "4MB", "--json"],
        env=environment(PYTHONPATH=str(ROOT), **stored.variables),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until(lambda: stored.ledger.runs.newest(1) or stored.ledger.verifications.waiting())
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, json.loads(out)["finished"]) == (130, False), err
    assert err == "stopped; the same command, or the scheduler, goes on with it\n"
    service(stored.ledger, stored.folder).run()
    assert stored.ledger.verifications.waiting() == 0
    assert stored.ledger.verifications.counts()[Verification.OK] == 3
