"""The bucket compared from the command line."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shared.ledger.ledger import Ledger
from shared.ledger.reconciling import run_options
from shared.ledger.runs import Kind, RunState
from tests.browser import demo
from tests.helpers.bucket_rule import BucketRule, Listed, md5
from tests.helpers.paths import ROOT
from tests.helpers.project import environment
from tests.helpers.s3_server import Answer, Asked, FaultyServer, error
from tests.helpers.servers import execute
from tests.local.commands.conftest import Done, Sync

CONTENT = b"x" * 9


class Installation:
    """A copy of three objects, and what runs a command on it in a process of its own."""

    def __init__(self, url: str, folder: Path, server: FaultyServer) -> None:
        self.url, self.folder, self.server = url, folder, server
        self.rule = BucketRule({name: Listed(9, md5(CONTENT)) for name in "abc"}, page=1)
        server.answer = self.rule
        self.storage = folder / "storage"
        self.storage.mkdir()
        with closing(Ledger.at(url)) as ledger:
            for name in "abc":
                demo.synced(ledger, self.storage, demo.Content(name, "image/jpeg", CONTENT))
        execute(url, f"UPDATE file_sync SET etag = '{md5(CONTENT)}'")

    @property
    def variables(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self.url,
            "STORAGE_PATH": str(self.storage),
            "AWS_S3_BUCKET_NAME": "bucket",
            "AWS_S3_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_S3_SECRET_ACCESS_KEY": "hushhush",
            "AWS_ENDPOINT_URL_S3": self.server.url,
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "local", "reconcile", *arguments],
            env=environment(PYTHONPATH=str(ROOT), **self.variables),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> Done:
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=60)
        return Done(process.returncode, out, err)


@pytest.fixture
def installation(database_url: str, tmp_path: Path) -> Iterator[Installation]:
    with FaultyServer(lambda _: Answer()) as server:
        yield Installation(database_url, tmp_path, server)


def test_a_complete_copy_is_called_so(installation: Installation) -> None:
    done = installation.run()
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("the copy is complete and whole\n")
    assert "3  are copied, complete and whole" in done.out


def test_what_differs_is_reported_and_queued(installation: Installation) -> None:
    (installation.storage / "a").unlink()
    installation.rule.objects['ü, "d"'] = Listed(1)
    done = installation.run("--json", "--report", "report.csv")
    assert (done.code, done.err) == (1, "")
    document = json.loads(done.out)
    assert (document["state"], document["whole"]) == ("finished", False)
    numbers = {name: document["numbers"][name] for name in ("matching", "missed", "missing")}
    assert numbers == {"matching": 2, "missed": 1, "missing": 1}
    with (installation.folder / "report.csv").open(newline="") as stream:
        rows = [(row["finding"], row["file_name"], row["size"]) for row in csv.DictReader(stream)]
    assert rows == [("missed", 'ü, "d"', "1"), ("missing", "a", "9")]
    done = installation.run("--enqueue", "--report", "report.json")
    assert "1  were recorded, to be copied" in done.out
    assert "1  were queued to be fetched again" in done.out
    report = json.loads((installation.folder / "report.json").read_text())
    assert report["options"] == run_options(enqueue=True)
    assert [one["finding"] for one in report["findings"]] == ["missed", "missing"]
    assert sorted(path.name for path in installation.folder.iterdir()) == [
        "report.csv",
        "report.json",
        "storage",
    ]


def test_ctrl_c_leaves_a_run_that_goes_on(installation: Installation) -> None:
    asked: list[Asked] = []
    process = installation.start("--enqueue")

    def interrupted(one: Asked) -> Answer:
        asked.append(one)
        if len(asked) == 2:
            process.send_signal(signal.SIGINT)
        return installation.rule(one)

    installation.server.answer = interrupted
    with process:
        _, err = process.communicate(timeout=60)
    assert (process.returncode, len(asked)) == (130, 2)
    assert err == "run 1 was interrupted; ./sync reconcile goes on\n"
    done = installation.run("--json")
    assert (done.code, done.err) == (0, "run 1 with --enqueue goes on\n")
    document = json.loads(done.out)
    assert (document["id"], document["numbers"]["listed"]) == (1, 3)


def test_a_bucket_that_may_not_be_listed_is_named(installation: Installation) -> None:
    installation.server.answer = lambda _: error(403, "AccessDenied")
    done = installation.run()
    assert (done.code, done.err) == (1, "")
    assert "waits: The object store refuses access: s3:ListBucket is not granted" in done.out
    assert "complete" not in done.out


@pytest.fixture
def typed(installation: Installation, sync: Sync) -> Callable[..., Done]:
    """`./sync reconcile` in this process, for what does not compare."""
    return lambda *arguments: sync("reconcile", *arguments, **installation.variables)


def test_a_run_with_other_options_is_not_taken_for_this(
    typed: Callable[..., Done], installation: Installation
) -> None:
    with closing(Ledger.at(installation.url)) as ledger:
        ledger.runs.begin(Kind.RECONCILE, "test", run_options("a/"))
        done = typed("--enqueue")
        assert done.code == 2
        assert "run 1 with --prefix 'a/' goes on" in " ".join(done.err.replace("│", "").split())
        done = typed("--status", "--json")
        assert (done.code, json.loads(done.out)["state"]) == (1, "running")
        assert typed("--cancel") == Done(0, "run 1 is cancelled\n", "")
        assert ledger.runs.get(1).state is RunState.CANCELLED
        assert typed("--cancel") == Done(1, "", "no run goes on\n")


def test_what_cannot_be_is_a_line_and_an_exit_code(typed: Callable[..., Done]) -> None:
    assert typed("--report", "a.txt").code == 2
    assert typed("--status") == Done(1, "", "there is no such run\n")
    assert typed("--run", "9") == Done(1, "", "there is no such run\n")
    assert typed("--run", "0").code == 2
