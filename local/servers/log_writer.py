"""Writes what a server prints to its log files, which together keep a limit.

Run as a file of its own, `python -I -S log_writer.py LOG`, with the server's output as its standard
input. A server that writes to a file itself keeps writing there after the file was renamed, and
each would have to be asked in its own way to open another: nginx by a signal, PostgreSQL by
settings that limit no size, memcached not at all. Of a pipe no line is lost, and every server is
treated alike. The process ends when everything that prints into it has ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import time
from itertools import pairwise
from pathlib import Path

LOG_BYTES = 10 * 1024 * 1024
"""A file that has so many bytes is renamed, and the next one is begun."""

OLD_LOGS = 4
"""Files that are kept beside the current one: `<name>.log.1`, the newest, and so on."""

CHUNK_BYTES = 64 * 1024
"""What is written at once. A file may be longer by this: a line is not torn, unless it is longer
than that itself."""

PIPE_BYTES = 1024 * 1024
"""What a server may print while a chunk is on its way to the disk; Linux allows any account this
much (pipe(7))."""

PAUSE_SECONDS = 0.02
"""After a chunk that is not full: one wake-up for each line would cost more than the line."""


class LogFiles:
    """The current log, and the old ones beside it.

    Args:
        path: of the current one.
        most: bytes after which it is renamed.
    """

    def __init__(self, path: Path, most: int = LOG_BYTES) -> None:
        self._path = path
        self._most = most
        self._file: int | None = None
        self._lost = 0

    def write(self, data: bytes) -> None:
        """Append to the log. What a full disk refuses is lost, and counted in the log later.

        Args:
            data: up to `CHUNK_BYTES`.
        """
        try:
            file = self._current()
            if self._lost:
                _append(file, b"%d bytes lost here, the disk refused them\n" % self._lost)
                self._lost = 0
            if os.fstat(file).st_size + len(data) > self._most:
                line, end, data = data.partition(b"\n")
                _append(file, line + end)
                self._rotate()
                file = self._current()
            _append(file, data)
        except OSError:
            self._lost += len(data)

    def _current(self) -> int:
        """Return the current log's descriptor; a log that was removed is begun again."""
        if self._file is not None and not self._path.exists():
            self._close()
        if self._file is None:
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        return self._file

    def _rotate(self) -> None:
        self._close()
        names = [self._path, *(Path(f"{self._path}.{n + 1}") for n in range(OLD_LOGS))]
        for newer, older in reversed(list(pairwise(names))):
            with contextlib.suppress(FileNotFoundError):
                newer.replace(older)

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _append(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def main(arguments: list[str]) -> None:
    """Write standard input to the log that the command line names, until its end."""
    # Who stops everything stops the servers: their last lines still come.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    source = sys.stdin.fileno()
    with contextlib.suppress(OSError, AttributeError):  # not on macOS, or not so much
        fcntl.fcntl(source, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    files = LogFiles(Path(arguments[0]))
    while data := os.read(source, CHUNK_BYTES):
        files.write(data)
        if len(data) < CHUNK_BYTES:
            time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1:])
