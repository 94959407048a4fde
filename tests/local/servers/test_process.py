from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path

import pytest

from local.servers.errors import NotReady
from local.servers.log_writer import CHUNK_BYTES, LOG_BYTES, OLD_LOGS
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


def test_a_log_keeps_its_limit_and_loses_no_line(tmp_path: Path) -> None:
    process = Process("talker", tmp_path)
    lines = 6 * LOG_BYTES // 100  # more than all files hold
    program = f"for n in range({lines}): print(f'{{n:099}}')"
    process.start(Command((sys.executable, "-c", program), {}), None)
    until(lambda: process.running is None)
    process.stop()
    names = ["talker.log", *(f"talker.log.{n + 1}" for n in range(OLD_LOGS))]
    assert {path.name for path in tmp_path.iterdir()} == set(names)
    sizes = [(tmp_path / name).stat().st_size for name in names]
    assert max(sizes) <= LOG_BYTES + CHUNK_BYTES
    kept = b"".join((tmp_path / name).read_bytes() for name in reversed(names)).splitlines()
    assert len(kept) * 100 >= OLD_LOGS * LOG_BYTES
    assert [int(line) for line in kept] == list(range(lines - len(kept), lines))
    assert {len(line) for line in kept} == {99}


def test_the_last_lines_of_one_that_ends_at_once_are_in_its_log(tmp_path: Path) -> None:
    process = Process("talker", tmp_path)
    process.start(Command((sys.executable, "-c", "raise SystemExit('the reason')"), {}), None)
    with pytest.raises(NotReady, match="the reason"):
        process.wait_until(lambda: False, 30)
    process.stop()


def test_what_a_server_leaves_behind_does_not_hold_up_its_end(tmp_path: Path) -> None:
    process = Process("parent", tmp_path)
    child = "import time; print(flush=True); time.sleep(60)"
    program = (
        "import subprocess, sys; p = subprocess.Popen("
        f"[sys.executable, '-c', {child!r}], start_new_session=True); print(p.pid)"
    )
    process.start(Command((sys.executable, "-c", program), {}), None)
    until(lambda: process.running is None and process.log.read_text().split())
    left = int(process.log.read_text().split()[0])
    process.stop()
    os.kill(left, signal.SIGKILL)
    assert process.pid is None
