from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path

from local.servers.process import Command, Process
from local.servers.running import Running
from tests.helpers.waiting import until

SLEEPING = Command((sys.executable, "-c", "import time; time.sleep(600)"), {})


def test_one_that_has_just_died_is_reaped_when_it_is_started_again(tmp_path: Path) -> None:
    process = Process("sleeper", tmp_path)
    process.start(SLEEPING, None)
    first = process.pid
    assert first
    os.kill(first, signal.SIGKILL)
    until(lambda: Running.of(first) is None)
    process.start(SLEEPING, None)
    gc.collect()  # an unreaped child would be complained of here
    assert process.pid not in {None, first}
    process.stop()
    assert process.pid is None


def test_one_whose_folder_was_emptied_is_stopped_all_the_same(tmp_path: Path) -> None:
    process = Process("sleeper", tmp_path)
    process.start(SLEEPING, None)
    first = process.pid
    assert first
    (tmp_path / "sleeper.pid").unlink()
    assert process.pid == first
    process.stop()
    assert Running.of(first) is None
    assert process.pid is None
