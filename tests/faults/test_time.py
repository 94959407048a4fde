"""Clocks that jump, and workers that come back late."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.injection_points import VARIABLE, CrashPoint
from tests.faults.harness.arena import Arena
from tests.faults.harness.services import Service
from tests.faults.harness.stack import MISSING_OBJECT_SECONDS
from tests.helpers.faketime import library
from tests.helpers.waiting import until

HOUR = 3_600
STEP_BACK = """
UPDATE file_sync
   SET due_at = due_at + interval '1 hour', next_attempt_at = next_attempt_at + interval '1 hour',
       leased_until = leased_until + interval '1 hour', queued_at = queued_at + interval '1 hour',
       claimed_at = claimed_at + interval '1 hour', created_at = created_at + interval '1 hour'
"""
"""Every time that the ledger keeps. Moved by an hour one way, they are to its statements what a
clock moved by an hour the other way is."""

STEP_FORWARD = STEP_BACK.replace("+ interval", "- interval")

SLOW_REST_SECONDS = 240.0
"""The wait for all work to settle, with libfaketime."""


@pytest.fixture
def spare(arena: Arena, tmp_path: Path) -> Iterator[Service]:
    """A second worker, not started."""
    service = Service("trigger", tmp_path, arena.stack.variables)
    yield service
    service.close()


def no_parts(arena: Arena) -> bool:
    return not any(path.is_file() for path in (arena.stack.storage / ".incoming").glob("*"))


@pytest.mark.parametrize("hours", [1, -1])
def test_our_clock_may_jump_by_an_hour(hours: int, arena: Arena, tmp_path: Path) -> None:
    preloaded = library()
    clock = tmp_path / "clock"
    clock.write_text("+0")
    for service in arena.stack.services:
        service.change(
            LD_PRELOAD=preloaded,
            FAKETIME_TIMESTAMP_FILE=str(clock),
            FAKETIME_NO_CACHE="1",
            FAKETIME_DONT_FAKE_MONOTONIC="1",
            # libfaketime reads its file at every look at the clock, which makes a backlog of a
            # minute on a busy machine: what is late must not have become missing by then.
            MISSING_OBJECT_SECONDS="600",
        )
        service.restart()
    arena.stack.start()
    try:
        with arena.trial(f"our clock steps by {hours:+} h") as trial:
            with trial.load():
                time.sleep(1)
                clock.write_text(f"{hours * HOUR:+}")
                trial.back()
                trial.send("late", count=3)
            trial.rest(SLOW_REST_SECONDS)
            assert {row.state for row in arena.stack.rows()} == {"synced"}
    finally:
        for service in arena.stack.services:
            service.change(LD_PRELOAD="", MISSING_OBJECT_SECONDS=MISSING_OBJECT_SECONDS)
            service.restart()


@pytest.mark.parametrize("step", [STEP_BACK, STEP_FORWARD], ids=["back", "forward"])
def test_the_ledger_s_clock_may_jump_by_an_hour(step: str, arena: Arena) -> None:
    name = "back" if step == STEP_BACK else "forward"
    with arena.trial(f"PostgreSQL's clock steps {name} 1 h") as trial:
        with trial.load():
            time.sleep(1)
            arena.stack.trigger.kill()  # so that rows are leased, waiting and on their way
            arena.stack.query(step)
            time.sleep(1)
        trial.rest()


def test_a_worker_that_slept_through_its_lease_changes_nothing(
    arena: Arena, spare: Service
) -> None:
    with arena.trial("worker frozen past its lease") as trial:
        trial.send("hang", size=50_000, name="slept")
        until(lambda: arena.stack.leased() == 1, "the claim")
        go_on = arena.stack.trigger.freeze()
        try:
            spare.start()
            until(arena.stack.all_settled, "the other worker to sync the object")
        finally:
            go_on()
        until(lambda: no_parts(arena), "the late worker to tidy up")
        trial.send("plain", count=5)
        trial.rest()
        spare.stop()


def test_a_worker_that_freezes_for_ever_delays_no_other(arena: Arena, spare: Service) -> None:
    with arena.trial("worker frozen in its transaction") as trial:
        worker = arena.stack.trigger
        worker.change(**{VARIABLE: f"{CrashPoint.BEFORE_UPDATE.value}:1:0:STOP"})
        worker.restart()
        trial.send("plain", count=5)
        until(lambda: arena.stack.leased() > 0, "the claims")
        until(lambda: worker.state() == "T", "the worker to freeze")
        spare.start()
        until(arena.stack.all_settled, "the other worker to sync the objects")
        worker.change(**{VARIABLE: ""})
        worker.go_on()
        until(lambda: no_parts(arena), "the late worker to tidy up")
        worker.restart()
        trial.rest()
        spare.stop()
