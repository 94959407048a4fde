"""The storage's clock decides what is old: that of another machine, on a network file system."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.faketime import library
from tests.helpers.paths import ROOT

SWEEP = """
import sys, time
from shared.storage.local import LocalStorage
print(int(time.time()), LocalStorage(sys.argv[1]).sweep(86_400))
"""


@pytest.mark.parametrize("shift", ["+3d", "-3d"])
def test_a_machine_whose_clock_is_days_off_sweeps_no_fresh_part(tmp_path: Path, shift: str) -> None:
    incoming = tmp_path / ".incoming"
    incoming.mkdir()
    fresh, old = incoming / "1.1.part", incoming / "2.1.part"
    fresh.touch()
    old.touch()
    os.utime(old, (0, fresh.stat().st_mtime - 90_000))
    # The file system's times stay as they are: it is not this machine's.
    variables = {"LD_PRELOAD": library(), "FAKETIME": shift, "NO_FAKE_STAT": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SWEEP, str(tmp_path)],
        env={**os.environ, **variables, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    now, swept = map(int, done.stdout.split())
    assert abs(now - fresh.stat().st_mtime) > 2 * 86_400
    assert swept == 1
    assert fresh.exists()
