"""Stored files read again from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shared.ledger.ledger import Ledger
from shared.ledger.runs import Kind
from shared.ledger.verifications import Part, run_options
from shared.storage.local import LocalStorage
from tests.browser import demo
from tests.helpers.paths import ROOT
from tests.helpers.project import environment
from tests.local.commands.conftest import Done, Sync
from tests.local.commands.test_documents import RUN, VERIFY

Verify = Callable[..., Done]


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
    found = verify("--all", "--json")
    assert (found.code, found.err) == (1, "")
    document = json.loads(found.out)
    assert set(document) == set(VERIFY)
    assert document["results"] == {"ok": 3, "damaged": 1, "missing": 1}
    assert (document["objects"], document["fetched_again"]) == (5, 0)
    again = verify("--name", "?", "--fetch-again")
    assert "2 are queued to be fetched again" in again.out
    assert ledger.counts().queued == 2
    assert verify("--all").code == 0


def test_it_can_be_left_to_the_schedule(verify: Verify, ledger: Ledger) -> None:
    assert verify("--all", "--dry-run").out == (
        "5 synced objects would be queued for verification\n"
    )
    assert ledger.verifications.waiting() == 0
    later = verify("--all", "--later")
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
    assert (refused.code, "of command line: jane goes on" in refused.err) == (1, True)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["1", "--all"],
        ["--part", "0%"],
        ["--part", "3/2"],
        ["--rate", "5"],
        ["1", "--part", "5%"],
    ],
)
def test_an_unclear_choice_is_a_usage_error(arguments: list[str], sync: Sync) -> None:
    assert sync("verify", *arguments).code == 2
