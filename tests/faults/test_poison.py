"""An object that kills every worker which touches it."""

from __future__ import annotations

from tests.faults.harness.arena import Arena
from tests.helpers.waiting import until

ATTEMPTS = 3
POISON = (
    "SELECT attempts, leased_until > now(), state FROM file_sync WHERE file_name LIKE 'silent/%'"
)


def wait_for_attempt(arena: Arena, attempt: int) -> None:
    def begun() -> bool:
        return arena.stack.query(POISON)[0][:2] == (attempt, True)

    until(begun, f"attempt {attempt}")


def test_a_poison_object_ends_as_failed_and_takes_no_other_along(arena: Arena) -> None:
    arena.stack.scheduler.change(MAX_ATTEMPTS=str(ATTEMPTS))
    arena.stack.scheduler.restart()
    trigger = arena.stack.trigger
    trigger.stop()
    trigger.change(MAX_ATTEMPTS=str(ATTEMPTS), SOURCE_STALL_SECONDS="60")
    try:
        with arena.trial("object that kills its worker") as trial:
            trial.send("silent", name="poison")
            trial.send("plain", count=20)
            trigger.start()
            for attempt in range(1, ATTEMPTS + 1):
                wait_for_attempt(arena, attempt)
                trigger.kill()
            trial.times = ATTEMPTS
            trial.rest()
            rows = arena.stack.rows()
            failed = [row for row in rows if row.state == "failed"]
            assert [row.file_name for row in failed] == ["silent/20000/poison"]
            assert "stopped without an answer" in (failed[0].last_error or "")
            assert len([row for row in rows if row.state == "synced"]) == 20
            # No attempt of the poison is in time to leave a part: it never gets a byte.
    finally:
        for service in (trigger, arena.stack.scheduler):
            service.change(MAX_ATTEMPTS=arena.stack.variables["MAX_ATTEMPTS"])
            service.change(SOURCE_STALL_SECONDS=arena.stack.variables["SOURCE_STALL_SECONDS"])
            service.restart()
