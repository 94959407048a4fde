from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.servers.log_writer import CHUNK_BYTES, OLD_LOGS, LogFiles
from local.servers.process import LOG_WRITER
from tests.helpers.waiting import until

MOST = 1_000


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "server.log"


def test_lines_are_torn_by_no_rotation(log: Path) -> None:
    files = LogFiles(log, MOST)
    text = b"".join(b"line %d\n" % number for number in range(400))
    for start in range(0, len(text), 70):  # chunks end in the middle of lines
        files.write(text[start : start + 70])
    parts = [path.read_bytes() for path in sorted(log.parent.iterdir(), reverse=True)]
    assert len(parts) == 1 + len(text) // MOST
    assert b"".join(parts) == text
    assert all(part.endswith(b"\n") for part in parts)
    assert max(map(len, parts)) <= MOST + 70


def test_a_line_without_end_keeps_the_limit(log: Path) -> None:
    files = LogFiles(log, MOST)
    for _ in range(20):
        files.write(b"x" * CHUNK_BYTES)
    sizes = [path.stat().st_size for path in log.parent.iterdir()]
    assert len(sizes) <= 1 + OLD_LOGS
    assert max(sizes) <= MOST + CHUNK_BYTES


def test_a_later_start_goes_on_in_the_same_file(log: Path) -> None:
    LogFiles(log, MOST).write(b"before\n")
    LogFiles(log, MOST).write(b"after\n")
    assert log.read_bytes() == b"before\nafter\n"


def test_a_log_that_is_removed_is_begun_again(log: Path) -> None:
    files = LogFiles(log, MOST)
    files.write(b"before\n")
    log.unlink()
    files.write(b"after\n")
    assert log.read_bytes() == b"after\n"


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Files cannot grow beyond `size` bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_what_a_full_disk_refuses_is_counted(log: Path) -> None:
    files = LogFiles(log, MOST)
    files.write(b"before\n")
    with files_of_at_most(7):
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)), log.open("ab", 0) as file:
            file.write(b"x")
        files.write(b"lost\n")
        files.write(b"lost too\n")
    files.write(b"after\n")
    assert log.read_bytes() == b"before\n14 bytes were lost here: the disk refused them\nafter\n"


def test_it_writes_on_after_a_signal_until_nothing_can_come_any_more(log: Path) -> None:
    command = [sys.executable, "-I", "-S", str(LOG_WRITER), str(log)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as writer:
        assert writer.stdin
        writer.stdin.write(b"first\n")
        writer.stdin.flush()
        until(log.exists)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            writer.send_signal(number)
        writer.stdin.write(b"last\n")
        writer.stdin.close()
        assert writer.wait(20) == 0
    assert log.read_bytes() == b"first\nlast\n"
