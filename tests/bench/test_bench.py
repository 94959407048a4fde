"""A run with very small numbers gets through, and says what it could not measure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.tools import require_tools
from local.servers.errors import ProgramMissing
from tests.helpers.missing import missing
from tests.helpers.paths import ROOT
from tests.helpers.project import environment

SECONDS = 300
SMALL = ("runs=1", "many_rows=300", "few_rows=200", "scrubbed=20", "together=2")
SMALLER = ("together_bytes=65536", "object_bytes=4096", "changed=30", "callbacks=100")


PARTS = ("search", "actions", "scrub", "callbacks")


def test_parts_with_small_numbers(tmp_path: Path) -> None:
    try:
        left_out = require_tools(PARTS)
    except ProgramMissing as error:
        missing(error.about)
    if left_out:
        missing(str(left_out))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "bench", "--scratch", str(tmp_path), "--docs", str(tmp_path)),
            *("--only", *PARTS),
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
