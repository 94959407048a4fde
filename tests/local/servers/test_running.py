from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.servers.process import Command, Process
from local.servers.running import Record, Running
from tests.helpers.waiting import until


@pytest.fixture
def ours() -> Running:
    running = Running.of(os.getpid())
    assert running
    return running


def test_a_process_is_recognised(ours: Running) -> None:
    assert ours.alive


def test_a_later_process_of_the_same_number_is_another(ours: Running) -> None:
    earlier = Running(ours.pid, "an earlier time")
    assert not earlier.alive
    earlier.signal(signal.SIGKILL)
    earlier.kill_group()
    assert ours.alive


def test_a_zombie_has_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        running = Running.of(child.pid)
        until(lambda: Running.of(child.pid) is None)
        assert running is None or not running.alive


@pytest.mark.parametrize("owner", ["none", "ours"])
def test_a_record_reads_back_as_it_was_saved(tmp_path: Path, ours: Running, owner: str) -> None:
    record = Record(ours, ours if owner == "ours" else None)
    record.save(tmp_path / "a.pid")
    assert Record.load(tmp_path / "a.pid") == record


@pytest.mark.parametrize("content", ["", "12", "{}", '{"server": {}, "owner": null}', "\0"])
def test_an_unreadable_record_counts_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.pid").write_text(content)
    assert Record.load(tmp_path / "a.pid") is None


def test_one_that_ignores_its_signal_is_killed_with_all_it_started(tmp_path: Path) -> None:
    process = Process("Stubborn", tmp_path)
    shell = "trap '' TERM; sleep 61 & echo $!; wait; sleep 62"
    process.start(Command(("/bin/sh", "-c", shell), {"PATH": os.defpath}), None)
    process.wait_until(lambda: process.log.read_text().strip().isdecimal(), 10.0)
    started = Running.of(int(process.log.read_text()))
    assert started
    process.stop(grace=0.2)
    assert process.pid is None
    until(lambda: not started.alive)


def test_what_a_killed_leader_left_is_killed_too(tmp_path: Path) -> None:
    process = Process("Leader", tmp_path, stays=True)
    process.start(
        Command(("/bin/sh", "-c", "sleep 61 & echo $!; wait"), {"PATH": os.defpath}), None
    )
    process.wait_until(lambda: process.log.read_text().strip().isdecimal(), 10.0)
    left = Running.of(int(process.log.read_text()))
    leader = process.pid
    assert leader
    os.kill(leader, signal.SIGKILL)
    until(lambda: process.pid is None)
    assert not Path(f"/proc/{leader}").exists(), "seen to have ended, but never reaped"
    assert left
    assert left.alive
    assert not Process("Leader", tmp_path, stays=True).take_over()
    until(lambda: not left.alive)
