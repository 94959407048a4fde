"""Stored files read again from the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from local.commands.verify import bytes_of
from shared.ledger.ledger import Ledger
from shared.ledger.runs import Kind
from shared.ledger.selection import Verification
from shared.ledger.verifications import Part, run_options
from shared.storage.local import LocalStorage
from tests.browser import demo
from tests.functions.test_scrub import service
from tests.helpers.paths import ROOT
from tests.helpers.project import environment
from tests.helpers.servers import query
from tests.helpers.waiting import until
from tests.local.commands.conftest import Done, Sync
from tests.local.commands.test_documents import RUN, VERIFY, VERIFY_CANCEL, VERIFY_STATUS, shape

Verify = Callable[..., Done]
PROBLEMS = [
    {"id": 2, "file_name": "2", "finding": "damaged"},
    {"id": 3, "file_name": "3", "finding": "missing"},
]


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    with closing(Ledger.at(database_url)) as ledger:
        yield ledger


@pytest.fixture
def verify(ledger: Ledger, database_url: str, tmp_path: Path) -> Verify:
    """`./sync verify` on a storage of five files, of which "2" is damaged and "3" missing."""
    storage = tmp_path / "storage"
    storage.mkdir()
    with closing(LocalStorage(storage, owner=ledger.installation)) as own:
        own.check_owner()
    for n in range(1, 6):
        demo.synced(ledger, storage, demo.Content(f"{n}", "image/jpeg", b"x"), "")
    (storage / "2").write_bytes(b"y")
    (storage / "3").unlink()

    def run(*arguments: str) -> Done:
        # In a process of its own, as the function is built once for each.
        done = subprocess.run(
            [sys.executable, "-m", "local", "verify", *arguments],
            env=environment(
                PYTHONPATH=str(ROOT), DATABASE_URL=database_url, STORAGE_PATH=str(storage)
            ),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run


def test_what_is_damaged_or_missing_is_a_problem_and_can_be_fetched_again(
    verify: Verify, ledger: Ledger
) -> None:
    whole = verify("1", "4")
    assert (whole.code, whole.out.splitlines()) == (
        0,
        ["2 synced objects are queued for verification", "          2  ok"],
    ), whole.err
    found = verify("--name", "*", "--json")
    assert (found.code, found.err) == (1, "")
    document = json.loads(found.out)
    assert set(document) == set(VERIFY)
    assert document["results"] == {"ok": 3, "damaged": 1, "missing": 1}
    assert (document["objects"], document["fetched_again"], document["problems"]) == (5, 0, 2)
    assert document["findings"] == PROBLEMS
    again = verify("--unverified", "--name", "?", "--fetch-again")
    assert again.code == 0  # all of them were verified
    again = verify("--name", "?", "--fetch-again")
    assert "2 are queued to be fetched again" in again.out
    assert "  damaged     2  (object 2)\n  missing     3  (object 3)\n" in again.out
    assert ledger.counts().queued == 2
    assert verify("--all").code == 0


def test_all_files_are_a_run(verify: Verify, ledger: Ledger) -> None:
    found = verify("--all")
    assert (found.code, found.out.splitlines()) == (
        1,
        [
            "run 1: finished",
            "  damaged     2  (object 2)",
            "  missing     3  (object 3)",
            "          3  ok",
            "          1  damaged",
            "          1  missing",
        ],
    )
    assert "to fetch them again: ./sync fetch-again --verified damaged" in found.err
    shown = verify("--status")
    assert shown.code == 1
    assert "Verified    5: 3 ok, 1 damaged, 1 missing\n" in shown.out
    assert "Run 1       finished, 5 files (5 B): 3 ok, 1 damaged, 1 missing; begun" in shown.out
    document = json.loads(verify("--status", "--json").out)
    assert shape(document) == shape(VERIFY_STATUS | {"results": document["results"]})
    again = verify("--all", "--fetch-again", "--json")
    assert json.loads(again.out)["fetched_again"] == 2
    assert ledger.counts().queued == 2


def test_what_people_asked_for_can_be_cancelled(verify: Verify, ledger: Ledger) -> None:
    assert verify("--part", "1/2", "--later").out == "run 1: running\n"
    verify("--name", "*", "--later")
    refused = verify("--all")
    assert (refused.code, refused.out) == (1, "")
    assert "./sync verify --cancel cancels it" in refused.err
    done = json.loads(verify("--cancel", "--json").out)
    assert (done, set(done)) == ({"cancelled": [1], "withdrawn": 5}, set(VERIFY_CANCEL))
    assert ledger.verifications.waiting() == 0
    again = verify("--cancel")
    assert (again.code, again.out) == (0, "0 files are no longer to be verified\n")


def test_the_same_command_goes_on_with_a_run(verify: Verify) -> None:
    verify("--all", "--later")
    assert verify("--all").out.startswith("run 1: finished\n")


@pytest.mark.parametrize("asked_for", ["--all", "--name=*"])
def test_ctrl_c_leaves_the_rest_recorded(
    asked_for: str, verify: Verify, ledger: Ledger, database_url: str, tmp_path: Path
) -> None:
    assert verify("--status").code == 0
    large = demo.Content("large", "image/jpeg", b"x" * 8_000_000)
    demo.synced(ledger, tmp_path / "storage", large, "")
    process = subprocess.Popen(
        [sys.executable, "-m", "local", "verify", asked_for, "--rate", "4MB", "--json"],
        env=environment(
            PYTHONPATH=str(ROOT), DATABASE_URL=database_url, STORAGE_PATH=str(tmp_path / "storage")
        ),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    # It listens to Ctrl-C by then, or it ends by it without a word.
    until(lambda: taken(database_url) or process.poll() is not None)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, json.loads(out)["finished"]) == (130, False), err
    assert err == "stopped; the same command, or the schedule, goes on with it\n"
    service(ledger, tmp_path / "storage").run()
    assert ledger.verifications.waiting() == 0
    assert ledger.verifications.counts()[Verification.OK] == 4


def taken(url: str) -> bool:
    """Return whether a process reads: a run has its holder, a file of a filter its result."""
    held = query(url, "SELECT 1 FROM run WHERE holder IS NOT NULL")
    return bool(held or query(url, "SELECT 1 FROM verification WHERE requested_at IS NOT NULL"))


def test_it_can_be_left_to_the_schedule(verify: Verify, ledger: Ledger) -> None:
    assert verify("--all", "--dry-run").out == (
        "5 synced objects would be queued for verification\n"
    )
    assert ledger.verifications.waiting() == 0
    later = verify("--name", "*", "--later")
    assert (later.code, ledger.verifications.waiting()) == (0, 5)


def test_a_part_is_a_run_in_place_of_the_schedules(verify: Verify, ledger: Ledger) -> None:
    ledger.runs.begin(Kind.SCRUB, "schedule", run_options(5, Part(), seconds=9e9))
    found = verify("--part", "1/1", "--rate", "50M", "--json")
    assert found.code == 1, found.err
    document = json.loads(found.out)
    assert set(document) == set(RUN)
    assert (document["state"], document["numbers"]["checked"]) == ("finished", 5)
    ledger.runs.begin(Kind.SCRUB, "command line: jane", run_options(5, Part()))
    refused = verify("--part", "5%")
    assert (refused.code, "by command line: jane, is still running" in refused.err) == (1, True)


@pytest.mark.parametrize(
    ("text", "number"),
    [("50MB", 50_000_000), ("1.5 GiB/s", 3 * 2**29), ("800k", 800_000), ("7", 7), ("2Kb/s", 2_000)],
)
def test_a_rate_is_read_as_people_write_it(text: str, number: int) -> None:
    assert bytes_of(text) == number


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["1", "--all"],
        ["--part", "0%"],
        ["--part", "3/2"],
        ["--rate", "5"],
        ["--all", "--rate", "fast"],
        ["--all", "--rate", "0.1"],
        ["1", "--part", "5%"],
        ["--all", "--status"],
        ["--cancel", "--fetch-again"],
        ["--part", "5%", "--dry-run"],
    ],
)
def test_an_unclear_choice_is_a_usage_error(arguments: list[str], sync: Sync) -> None:
    assert sync("verify", *arguments).code == 2
