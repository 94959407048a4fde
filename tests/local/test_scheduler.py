from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from local.handlers import Handler
from local.schedule_expressions import EVERY_MINUTE, Rate, parse
from local.scheduler import DIRECT_SECONDS, Job, Scheduler, local_expression
from local.shutdown import StopFlag
from local.template import Schedule
from shared.errors import LedgerUnavailable, SettingError
from tests.helpers.paths import ROOT
from tests.helpers.receiver import receiver
from tests.helpers.servers import connect, execute, free_port
from tests.helpers.waiting import join, until

SECONDS = 30.0
MOMENT = datetime(2026, 11, 28, 2, 59, 59, 900_000, tzinfo=UTC)


def schedule(
    name: str = "F.Each", *, delivers: bool = False, text: str = "rate(1 minute)"
) -> Schedule:
    return Schedule(name=name, handler="h", seconds=60, expression=parse(text), delivers=delivers)


class Plays:
    """A handler that plays a series of results, then stops the scheduler."""

    def __init__(self, *results: BaseException | None) -> None:
        self._results = list(results)
        self.events: list[dict[str, Any]] = []
        self.stop = StopFlag()

    def __call__(self, event: dict[str, Any], context: Any) -> None:
        if not self._results:
            return  # once more before the scheduler has seen that it is to stop
        assert context.get_remaining_time_in_millis() > 0
        self.events.append(event)
        result = self._results.pop(0)
        if not self._results:
            self.stop.set()
        if result:
            raise result

    def run(self) -> None:
        assert scheduler(self).run(self.stop, SECONDS)


def scheduler(*handlers: Handler, seconds: float = 0.0) -> Scheduler:
    jobs = [Job(schedule(f"F{n}.Each"), h, Rate(seconds)) for n, h in enumerate(handlers)]
    return Scheduler(jobs, threading.Event())


@contextmanager
def running(started: Scheduler) -> Iterator[None]:
    stop = StopFlag()
    thread = threading.Thread(target=started.run, args=(stop, SECONDS))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        join(thread)


def test_a_function_that_ends_its_thread_is_run_again(caplog: pytest.LogCaptureFixture) -> None:
    plays = Plays(None, SystemExit(1), None)
    plays.run()
    assert len(plays.events) == 3
    (failed,) = [r for r in caplog.records if r.levelno == logging.CRITICAL]
    assert failed.__dict__["thread_name"] == "F0.Each"


@pytest.mark.parametrize("error", [LedgerUnavailable(), SettingError("X is not set")])
def test_an_outage_is_logged_once_when_it_begins_and_once_when_it_ends(
    caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    caplog.set_level(logging.INFO)
    Plays(None, error, error, None, None).run()
    assert [record.getMessage() for record in caplog.records] == [
        "scheduled function waits",
        "scheduled function works again",
    ]


def test_a_run_that_fails_does_not_end_the_schedule(caplog: pytest.LogCaptureFixture) -> None:
    plays = Plays(ValueError("a fault"), None)
    plays.run()
    assert [record.getMessage() for record in caplog.records] == ["scheduled function failed"]
    assert len(plays.events) == 2
    assert plays.events[0]["id"] != plays.events[1]["id"]


def test_a_schedule_that_was_told_to_stop_begins_nothing_new() -> None:
    runs: list[object] = []
    stop = StopFlag()
    stop.set()
    ending = threading.Event()
    ending.set()
    assert Scheduler([Job(schedule(), lambda e, _: runs.append(e), Rate(0))], ending).run(stop, 9)
    assert runs == []


def test_one_that_hangs_and_one_that_fails_hold_up_no_other() -> None:
    runs: list[int] = []
    go_on = threading.Event()

    def fail(_event: object, _context: object) -> None:
        raise ZeroDivisionError

    def hang(_event: object, _context: object) -> None:
        assert go_on.wait(SECONDS)

    with running(scheduler(hang, fail, lambda *_: runs.append(1))):
        until(lambda: len(runs) > 5)
        go_on.set()


def test_each_run_that_ends_is_a_pulse_and_one_that_hangs_is_none() -> None:
    pulses: list[str] = []
    go_on = threading.Event()

    def hang(_event: object, _context: object) -> None:
        assert go_on.wait(SECONDS)

    def fail(_event: object, _context: object) -> None:
        raise ZeroDivisionError

    jobs = [
        Job(schedule(f"F.{handler.__name__}"), handler, Rate(0.01), partial(pulses.append, name))
        for handler, name in ((hang, "hung"), (fail, "failed"))
    ]
    with running(Scheduler(jobs, threading.Event())):
        until(lambda: pulses.count("failed") > 1)
        assert "hung" not in pulses
        go_on.set()
        until(lambda: "hung" in pulses)


def test_one_function_never_runs_twice_at_once() -> None:
    at_work = threading.Lock()
    runs: list[bool] = []

    def work(_event: object, _context: object) -> None:
        free = at_work.acquire(blocking=False)
        runs.append(free)
        threading.Event().wait(0.05)
        at_work.release()

    with running(scheduler(work)):
        until(lambda: len(runs) > 4)
    assert all(runs)


def test_what_does_not_finish_is_named(caplog: pytest.LogCaptureFixture) -> None:
    go_on = threading.Event()
    stop = StopFlag()

    def hang(_event: object, _context: object) -> None:
        stop.set()
        assert go_on.wait(SECONDS)

    try:
        assert not scheduler(hang).run(stop, 0.1)
        (record,) = caplog.records
        assert record.__dict__["schedule"] == "F0.Each"
    finally:
        go_on.set()


class Clock:
    """A clock that goes on by 20 ms with each look at it."""

    def __init__(self) -> None:
        self._now = MOMENT

    def __call__(self) -> datetime:
        self._now += timedelta(milliseconds=20)
        return self._now


def test_cron_runs_at_its_times_alone() -> None:
    events: list[dict[str, Any]] = []
    stop = StopFlag()

    def handler(event: dict[str, Any], _context: object) -> None:
        events.append(event)
        stop.set()

    job = Job(schedule(), handler, parse("cron(0 3 * * ? *)"))
    assert Scheduler([job], threading.Event(), Clock()).run(stop, SECONDS)
    assert [event["time"] for event in events] == ["2026-11-28T03:00:00Z"]


def test_what_is_never_due_again_runs_no_more() -> None:
    runs: list[object] = []
    others: list[object] = []
    once = Job(schedule(), lambda e, _: runs.append(e), parse("at(2026-11-28T03:00:00)"))
    other = Job(schedule(), lambda e, _: others.append(e), Rate(0.01))
    with running(Scheduler([once, other], threading.Event(), Clock())):
        until(lambda: runs and len(others) > 50)
    assert len(runs) == 1


def test_a_local_run_shortens_a_minute_and_what_delivers_without_a_broker() -> None:
    requeue, hourly = schedule(delivers=True), schedule(text="rate(1 hour)")
    assert local_expression(requeue, 5, broker=True) == Rate(5)
    assert local_expression(requeue, 5, broker=False) == Rate(DIRECT_SECONDS)
    assert local_expression(schedule(), 5, broker=False) == Rate(5)
    assert local_expression(hourly, 5, broker=False) == Rate(3_600)
    assert local_expression(replace(schedule(), local_seconds=1.0), 5, broker=True) == Rate(1.0)
    assert schedule().expression == EVERY_MINUTE


TEMPLATE = """
Resources:
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      Handler: tests.local.scheduled_functions.mark
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {FunctionName: !Ref Worker, Queues: [sync]}
"""
FUNCTION = """
  Function%(name)s:
    Type: AWS::Serverless::Function
    Properties:
      Handler: tests.local.scheduled_functions.%(name)s
      Events:
        E:
          Type: Schedule
          Properties: {Schedule: rate(1 minute), Input: '{"mark": "%(name)s"}'}
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts the scheduler's process with functions of `scheduled_functions`."""
    started: list[subprocess.Popen[bytes]] = []

    def start_one(*names: str) -> subprocess.Popen[bytes]:
        template = tmp_path / "template.yaml"
        template.write_text(TEMPLATE + "".join(FUNCTION % {"name": name} for name in names))
        variables = {"PATH": os.environ["PATH"], "MARKS_FOLDER": str(tmp_path)}
        variables["SCHEDULE_SECONDS"] = "0.1"
        with (tmp_path / "log").open("wb") as log:
            started.append(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.local.scheduled_functions", str(template)],
                    cwd=ROOT,
                    env=variables,
                    stderr=log,
                )
            )
        return started[-1]

    yield start_one
    for process in started:
        process.kill()
        process.wait(SECONDS)


def marks(folder: Path, name: str) -> int:
    file = folder / name
    return len(file.read_text().splitlines()) if file.exists() else 0


def test_a_process_told_to_stop_lets_functions_end_in_order(tmp_path: Path, start: Any) -> None:
    process = start("ends_in_order", "mark")
    until(lambda: marks(tmp_path, "mark") > 2 and marks(tmp_path, "ends_in_order"))

    process.terminate()

    assert process.wait(SECONDS) == 0, (tmp_path / "log").read_text()
    assert marks(tmp_path, "ended") == 1


def test_a_function_that_hangs_does_not_keep_a_process_that_is_told_to_stop(
    tmp_path: Path, start: Any
) -> None:
    process = start("hang", "fail")
    until(lambda: marks(tmp_path, "hang") and marks(tmp_path, "fail"))

    process.terminate()

    assert process.wait(SECONDS) == 1
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    unfinished = [line["schedule"] for line in lines if "did not finish" in line["message"]]
    assert unfinished == ["Functionhang.E"]


TALLY = """
import os
from pathlib import Path


def handler(event, context):
    assert event["detail-type"] == "Scheduled Event", event
    assert context.get_remaining_time_in_millis() <= 7_000
    with Path(os.environ["TALLY"]).open("a") as file:
        file.write(event["time"] + "\\n")
"""
TALLY_ENTRY = """
  DailyTallyFunction:
    Type: AWS::Serverless::Function
    Metadata:
      BuildMethod: makefile
    Properties:
      Handler: functions.daily_tally.handler.handler
      Timeout: 7
      Events:
        Often: { Type: Schedule, Properties: { Schedule: rate(1 minute) } }

"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the project to which a scheduled function is added as CONTRIBUTING.md says."""
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("functions", "shared", "local", "requirements"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Makefile", tree)
    template = (ROOT / "template.yaml").read_text()
    assert template.count("\n  MigrateFunction:\n") == 1
    (tree / "template.yaml").write_text(
        template.replace("\n  MigrateFunction:\n", TALLY_ENTRY + "  MigrateFunction:\n")
    )
    added = tree / "functions" / "daily_tally"
    added.mkdir()
    (added / "__init__.py").touch()
    (added / "handler.py").write_text(TALLY)
    (added / "requirements.in").touch()
    return tree


def attempts(url: str) -> int:
    with closing(connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT attempts FROM file_sync")
        ((found,),) = cursor.fetchall()
        return int(found)


def test_an_added_function_runs_by_its_schedule_and_requeue_still_delivers(
    tree: Path, tmp_path: Path, database_url: str
) -> None:
    variables = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database_url,
        "STORAGE_PATH": str(tmp_path / "storage"),
        "AWS_S3_BUCKET_NAME": "uploads",
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{free_port()}",
        "AWS_S3_ACCESS_KEY_ID": "k",
        "AWS_S3_SECRET_ACCESS_KEY": "s",
        "AWS_S3_REGION_NAME": "eu-west-1",
        "SCHEDULE_SECONDS": "0.3",
        "TALLY": str(tmp_path / "tally"),
    }
    log = tmp_path / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "local", "scheduler"], cwd=tree, env=variables, stderr=stream
        )
    try:
        until(lambda: marks(tmp_path, "tally") > 2)
        execute(
            database_url,
            "INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, "
            "request_id) VALUES ('o', 'r', 'n', 't/t', sha256('n'), 'r')",
        )
        # The worker has had it, with an S3 that nothing answers for.
        until(lambda: attempts(database_url) == 1)
    finally:
        process.terminate()
        assert process.wait(SECONDS) == 0, log.read_text()
    assert "Traceback" not in log.read_text()


def test_an_added_function_has_its_package_and_its_lock(tree: Path) -> None:
    def dry(target: str) -> str:
        make = subprocess.run(
            ["make", "--dry-run", "--always-make", target],
            cwd=tree,
            capture_output=True,
            text=True,
            check=True,
        )
        return make.stdout

    packed = dry("build-DailyTallyFunction")
    assert "-r functions/daily_tally/requirements.txt" in packed
    assert re.search(r"cp -R functions/daily_tally ", packed)
    assert "functions/daily_tally/requirements.in" in dry("lock")


def test_callbacks_are_delivered_at_once_where_they_are_wanted(
    tmp_path: Path, database_url: str
) -> None:
    variables = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database_url,
        "STORAGE_PATH": str(tmp_path / "storage"),
        "AWS_S3_BUCKET_NAME": "uploads",
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{free_port()}",
        "AWS_S3_ACCESS_KEY_ID": "k",
        "AWS_S3_SECRET_ACCESS_KEY": "s",
        "AWS_S3_REGION_NAME": "eu-west-1",
        "MAX_ATTEMPTS": "1",
        "CALLBACK_SECRET": "whsec_" + "c2VjcmV0" * 6,
    }
    log = tmp_path / "log"
    with receiver() as there, log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "local", "scheduler"],
            cwd=ROOT,
            env=variables | {"CALLBACK_URL": there.url},
            stderr=stream,
        )
        try:
            # No attempt is left: requeue fails it, and what it records arrives.
            execute(
                database_url,
                "INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, "
                "request_id, attempts, deaths, claimed_at, leased_until) VALUES "
                "('o', 'r', 'n', 't/t', sha256('n'), 'r', 1, 1, now(), now() - interval '1 s')",
            )
            until(lambda: there.names == ["n"])
        finally:
            process.terminate()
            assert process.wait(SECONDS) == 0, log.read_text()
    assert "NotifyFunction.EveryMinute" in log.read_text()
    document = json.loads(there.posts[0].body)
    assert (document["type"], document["data"]["state"]) == ("object.failed", "failed")
