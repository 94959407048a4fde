"""How the contenders are timed: in turn, so that a slow minute is slow for all of them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from bench.setting import Setting
from bench.stack import ROOT

Measured = TypeVar("Measured")

_IMPORT = """
import time
{before}
begin = time.perf_counter()
{script}
print((time.perf_counter() - begin) * 1000)
"""


def in_turn(
    setting: Setting, what: str, contenders: Mapping[str, Callable[[], Measured]]
) -> dict[str, list[Measured]]:
    """Run every contender once in each round.

    Args:
        setting: how many rounds.
        what: the name of the step that is shown.
        contenders: name to what runs and measures it once.

    Returns:
        For each name what was measured, one item for each round.
    """
    measured: dict[str, list[Measured]] = {name: [] for name in contenders}
    for _ in setting.runs(what):
        for name, run in contenders.items():
            measured[name].append(run())
    return measured


def micros(function: Callable[[], object], number: int) -> float:
    """Return the processor time of one call in µs, of all threads of this process."""
    before = time.process_time()
    for _ in range(number):
        function()
    return (time.process_time() - before) / number * 1e6


def fresh(script: str, before: str = "") -> float:
    """Return the ms that a script takes in a new interpreter.

    Args:
        script: what is timed.
        before: what runs ahead of it, untimed.
    """
    command = [sys.executable, "-c", _IMPORT.format(before=before, script=script)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return float(done.stdout)
