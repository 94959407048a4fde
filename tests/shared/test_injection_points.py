from __future__ import annotations

import subprocess
import sys

import pytest

from shared.errors import SettingError
from shared.injection_points import VARIABLE, CrashPoint, Fault

SCRIPT = """
import os
from shared import injection_points
from shared.injection_points import CrashPoint, injection_point

injection_point(CrashPoint.BEFORE_RECORD)
print("imported", flush=True)
injection_points.arm(os.environ)
injection_point(CrashPoint.AFTER_RECORD)
print("passed another", flush=True)
injection_point(CrashPoint.BEFORE_RECORD)
print("survived", flush=True)
"""


def run(fault: str) -> tuple[int, list[str]]:
    """Return the exit status and the lines of a process in which a point is armed."""
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={VARIABLE: fault, "LOCAL_RUN": "1"},
    )
    return ended.returncode, ended.stdout.splitlines()


def test_a_process_dies_at_the_point_once_it_has_armed_it() -> None:
    assert run("before-record") == (-9, ["imported", "passed another"])


@pytest.mark.parametrize("fault", ["", "before-record:0", "after-rename"])
def test_a_process_survives_points_that_are_not_armed(fault: str) -> None:
    assert run(fault) == (0, ["imported", "passed another", "survived"])


def test_chance_is_the_same_for_the_same_seed() -> None:
    faults = [Fault.read({VARIABLE: f"after-rename:0.5:{s}", "LOCAL_RUN": "1"}) for s in (7, 7, 8)]
    first, same, other = ([f.random.random() for _ in range(9)] for f in faults if f)
    assert first == same
    assert first != other


@pytest.mark.parametrize(
    "text",
    ["nowhere", "before-record:often", "before-record:1:seed", "before-record:1:1:NOTHING", ":1"],
)
def test_an_invalid_point_is_named(text: str) -> None:
    with pytest.raises(SettingError, match=rf"{VARIABLE}: expected name"):
        Fault.read({VARIABLE: text, "LOCAL_RUN": "1"})


@pytest.mark.parametrize("variables", [{}, {"AWS_LAMBDA_FUNCTION_NAME": "ingest"}])
def test_outside_a_local_run_no_point_can_be_armed(variables: dict[str, str]) -> None:
    assert Fault.read(variables) is None
    for point in CrashPoint:
        with pytest.raises(SettingError, match="only for local runs"):
            Fault.read({VARIABLE: point.value, **variables})
