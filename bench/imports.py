"""How long a handler's import takes in a fresh interpreter: the greater part of a cold start."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from bench.figure import Figure, Target
from bench.setting import Setting
from bench.stack import ROOT

LIMITS = {"ingest": 150, "stats": 120, "sync_worker": 350}
SCRIPT = """
import time
before = time.perf_counter()
import functions.{name}.handler
print((time.perf_counter() - before) * 1000)
"""


def measure(setting: Setting) -> Iterator[Figure]:
    """Measure the three handlers in turn."""
    times: dict[str, list[float]] = {name: [] for name in LIMITS}
    done = setting.step("imports", setting.plan.starts)
    for name in LIMITS:
        _import(name)  # compiles
    for _ in range(setting.plan.starts):
        for name, taken in times.items():
            taken.append(_import(name))
        done(1)
    for name, limit in LIMITS.items():
        yield Figure(f"import of {name}", times[name], "ms", Target(limit, at_least=False))


def _import(name: str) -> float:
    command = [sys.executable, "-c", SCRIPT.format(name=name)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return float(done.stdout)
