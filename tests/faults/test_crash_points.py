"""Kill -9 at every step of an object's way."""

from __future__ import annotations

import pytest

from local.servers.running import Running
from shared.injection_points import VARIABLE, CrashPoint
from tests.faults.harness.arena import Arena
from tests.faults.harness.servers import descendants
from tests.faults.harness.services import Service
from tests.faults.harness.stack import Stack
from tests.helpers.waiting import until

INGEST = {
    CrashPoint.BEFORE_RECORD,
    CrashPoint.AFTER_RECORD,
    CrashPoint.AFTER_HAND_OVER,
    CrashPoint.BEFORE_PUBLISH,
    CrashPoint.AFTER_PUBLISH,
}
CHANCE = {
    CrashPoint.MID_DOWNLOAD: 0.02,
    CrashPoint.AFTER_LAST_BYTE: 0.05,
    CrashPoint.AFTER_RENAME: 0.05,
    CrashPoint.BEFORE_RECORD: 0.1,
    CrashPoint.AFTER_RECORD: 0.1,
    CrashPoint.AFTER_HAND_OVER: 0.1,
    CrashPoint.BEFORE_PUBLISH: 0.1,
    CrashPoint.AFTER_PUBLISH: 0.1,
}
"""So likely that some work is done between two deaths, by how often a point is passed."""

KILLS_IN_A_ROUND = 5
DEATH_SECONDS = 60.0
"""A busy machine takes a while to start a process."""


def victim(stack: Stack, point: CrashPoint) -> Service:
    if point in INGEST:
        return stack.serve
    return stack.scheduler if point is CrashPoint.AFTER_TAKE_DUE else stack.trigger


def kill(arena: Arena, point: CrashPoint, kills: int) -> None:
    with arena.trial(f"killed {point.value}") as trial:
        service = victim(arena.stack, point)
        service.stop()
        before = service.deaths
        service.change(**{VARIABLE: f"{point.value}:{CHANCE.get(point, 0.3)}:{arena.seed}"})
        if point is CrashPoint.AFTER_TAKE_DUE:
            arena.stack.trigger.stop()  # so that rows become due
        with trial.load():
            service.start()
            until(
                lambda: service.deaths - before >= kills,
                f"{kills} deaths at {point.value}",
                DEATH_SECONDS * kills,
            )
        trial.times = service.deaths - before
        service.change(**{VARIABLE: ""})
        service.restart()
        arena.stack.start()


# Callbacks are no part of an object's way, see tests/functions/test_notify.py.
@pytest.mark.parametrize("point", [p for p in CrashPoint if p is not CrashPoint.AFTER_DELIVERY])
def test_nothing_is_lost_when_a_process_dies(
    point: CrashPoint, arena: Arena, *, long: bool
) -> None:
    for kills in [KILLS_IN_A_ROUND] * 4 if long else [2]:
        kill(arena, point, kills)


def test_no_part_of_the_shim_outlives_its_first_process(arena: Arena) -> None:
    with arena.trial("shim's first process killed") as trial:
        with trial.load():
            family = descendants(arena.stack.serve.pid or 0)
            assert len(family) > 1
            arena.stack.serve.kill()
            until(lambda: not any(alive(pid) for pid in family), "all of the shim to end")
        arena.stack.start()


def alive(pid: int) -> bool:
    running = Running.of(pid)
    return running is not None and running.alive
