"""Memory and processor time are those of the process that was asked for, and of its children."""

from __future__ import annotations

import os
import subprocess
import sys

from bench.processes import Memory, arguments, children, cpu_seconds, tree

HOLD = "import sys; held = bytearray(64 << 20); print('ready', flush=True); sys.stdin.read()"
SPEND = "sum(range(20_000_000))"


def test_a_childs_memory_counts_with_its_parents() -> None:
    own = Memory.of([os.getpid()])
    command = [sys.executable, "-c", HOLD]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert child.pid in children(os.getpid())
        assert arguments(child.pid)[:3] == command
        alone, both = Memory.of([child.pid]), Memory.of(tree(os.getpid()))
        child.communicate(b"")
    assert alone.resident > 64
    assert 64 < alone.proportional <= alone.resident
    assert both.resident > own.resident + 64


def test_the_time_of_children_that_ended_is_not_lost() -> None:
    before = cpu_seconds(os.getpid())
    subprocess.run([sys.executable, "-c", SPEND], check=True)
    assert cpu_seconds(os.getpid()) - before > 0.1


def test_what_has_ended_has_no_memory() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    assert Memory.of([child.pid]) == Memory(0.0, 0.0)
