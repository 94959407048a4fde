"""A run with very small numbers gets through, and says what it could not measure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.helpers.paths import ROOT
from tests.helpers.project import environment

SECONDS = 300
SMALL = ("runs=1", "many_rows=300", "few_rows=200", "scrubbed=20", "together=2")
SMALLER = ("together_bytes=65536", "object_bytes=4096", "changed=30", "callbacks=100")


def test_parts_with_small_numbers(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "bench", "--scratch", str(tmp_path), "--docs", str(tmp_path)),
            *("--only", "search", "actions", "scrub", "callbacks"),
            *("--set", *SMALL, *SMALLER),
        ],
        cwd=ROOT,
        env=environment() | {"COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    for row in (
        "admin search of a piece of a name with 300 rows, of none",
        "dismiss 30 objects by one filter, 300 rows",
        "retry 30 objects by one filter, 300 rows",
        "scrub of 20 × 4 KiB, warm cache",
        "scrub of 2 × 64 KiB, cold cache",
        "callbacks delivered and recorded",
    ):
        assert row in done.stdout
    assert "nothing is written" in done.stderr
    assert not list(tmp_path.iterdir())
