"""Writes a server's output to log files of limited total size.

Run as a script, `python -I -S log_writer.py LOG`, with the server's output as its standard input. A
server that writes to a file itself keeps writing there after the file was renamed, and each needs
its own way to open another: nginx a signal, PostgreSQL settings that do not limit the total size,
memcached has none. With a pipe no line is lost, and every server is treated alike. The process ends
when every process that writes to the pipe has ended.
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
"""Size at which a file is renamed and a new one is started."""

OLD_LOGS = 4
"""Files kept beside the current one: `<name>.log.1` is the newest of them, and so on."""

CHUNK_BYTES = 64 * 1024
"""Most bytes written at once. A file may exceed its limit by this much: a line is not split unless
it is longer itself."""

PIPE_BYTES = 1024 * 1024
"""Output that the pipe holds while a chunk is written to disk; Linux allows any account this much
(pipe(7))."""

PAUSE_SECONDS = 0.02
"""Pause after a chunk that is not full: a wake-up for each line would cost more than the line."""


class LogFiles:
    """The current log, and the old ones beside it.

    Args:
        path: the current log.
        most: bytes after which it is renamed.
    """

    def __init__(self, path: Path, most: int = LOG_BYTES) -> None:
        self._path = path
        self._most = most
        self._file: int | None = None
        self._lost = 0

    def write(self, data: bytes) -> None:
        """Append to the log. What a full disk refuses is lost; the log states later how much.

        Args:
            data: up to `CHUNK_BYTES`.
        """
        try:
            file = self._current()
            if self._lost:
                _append(file, b"%d bytes were lost here: the disk refused them\n" % self._lost)
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
        """Return the current log's descriptor; a log that was removed is created again."""
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
    """Write standard input, until its end, to the log named on the command line."""
    # A signal to the whole group also stops the server, whose last lines are still to come.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    source = sys.stdin.fileno()
    with contextlib.suppress(OSError, AttributeError):  # not on macOS, or not that large
        fcntl.fcntl(source, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    files = LogFiles(Path(arguments[0]))
    while data := os.read(source, CHUNK_BYTES):
        files.write(data)
        if len(data) < CHUNK_BYTES:
            time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1:])
