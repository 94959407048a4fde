from __future__ import annotations

import subprocess
import sys

from tests.helpers.paths import ROOT

CHILD = """
import signal, sys
from local.http.parent_watch import end_with_parent
from local.shutdown import StopFlag

told = StopFlag.on_signals()
end_with_parent(int(sys.argv[1]), float(sys.argv[2]))
print("watching", flush=True)
told.wait(60)
print("told", flush=True)
if sys.argv[3] == "stay":
    signal.pause()
"""
"""Watches its parent, given by its id, and prints when it was told to end; then it goes, or not."""

PARENT = """
import os, subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[1], str(os.getpid()), *sys.argv[2:]])
"""
"""Starts such a child, whose output it shares, and stays for as long as that does."""


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def test_a_process_whose_parent_is_killed_is_told_to_end() -> None:
    with start(PARENT, CHILD, "30", "go") as parent:
        assert parent.stdout
        assert parent.stdout.readline() == "watching\n"

        parent.kill()

        # The output ends with the child: it ended by itself.
        assert parent.communicate(timeout=20)[0] == "told\n"


def test_a_parent_that_died_before_the_watch_began_is_missed_all_the_same() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    with start(CHILD, str(gone.pid), "30", "go") as child:
        assert child.wait(20) == 0


def test_a_process_that_does_not_end_in_time_is_ended() -> None:
    with start(CHILD, "-1", "0.2", "stay") as child:
        assert child.wait(20) == 1


def test_a_process_goes_on_for_as_long_as_its_parent_lives() -> None:
    looks = """
from local.http.parent_watch import end_with_parent
from local.shutdown import StopFlag

answers = [7, 7, 7, 1]
told = StopFlag.on_signals()
end_with_parent(7, 30, lambda: answers.pop(0))
told.wait(60)
print(answers)
"""
    with start(looks) as child:
        assert child.communicate(timeout=20)[0] == "[]\n"
