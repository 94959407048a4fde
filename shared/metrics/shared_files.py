"""The counters of all processes of a machine: files of prometheus-client, one pair a process.

prometheus-client names such files by process number, so that each restart leaves some behind, for
good or at the price of counters that go back. Here a process takes the first free of a row of
numbered places, held by a file lock that ends with it, and goes on with the totals that the last
holder left there: there are never more files than processes at one time, and no counter goes back.

The first addition takes the place and starts the thread that writes, so that a process may fork
before. What a process that is killed has counted in its last second is lost.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import struct
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict

from shared.metrics.tally import Counted, Key, Tally
from shared.threads import SupervisedThread

logger = logging.getLogger(__name__)

WRITE_SECONDS = 1.0
"""Between two writes, while something is counted."""

MOST_PLACES = 1_000
"""More processes of one machine than this are not counted."""

SUM = "sum"
"""In place of a bucket's number: the sum of a histogram."""

Totals = Mapping[str, Mapping[tuple[str, ...], float]]
"""By the metric's name: by the values of its labels, for histograms then the number of the bucket
or `SUM`."""

_UNREADABLE = (RuntimeError, ValueError, struct.error, OSError)
"""What reading a file leads to that a crash of the machine has cut or mixed up."""


class SharedFiles:
    """Writes what a tally counts into this process's file, and reads those of all.

    Args:
        folder: shared by all processes of the machine; it is made.
        tally: this process's.
    """

    def __init__(self, folder: Path, tally: Tally) -> None:
        self._folder = folder
        self._tally = tally
        self._starting = threading.Lock()
        self._writing = threading.Lock()
        self._wake = threading.Event()
        self._thread: SupervisedThread | None = None
        self._place: _Place | None = None
        self._closed = False
        self._is_failing = False

    def attach(self) -> None:
        """Write from the first addition on."""
        self._tally.on_addition = self._on_addition
        os.register_at_fork(after_in_child=self._on_fork)

    def close(self) -> None:
        """Write what was counted, and give the place back."""
        self._closed = True
        if self._thread:
            self._thread.stop()
        self._wake.set()
        self.write()
        with self._writing:
            if self._place:
                self._place.close()
                self._place = None

    def write(self) -> None:
        """Write what was counted since the last time; if it cannot be, it is kept."""
        with self._writing:
            counted = self._tally.take()
            if not counted.counts and not counted.durations:
                return
            try:
                if self._place is None:
                    self._place = _free_place(self._folder)
                self._place.add(counted)
                self._is_failing = False
            except OSError as error:
                self._tally.put_back(counted)
                if not self._is_failing:  # it is tried again every second
                    logger.warning("metrics not written", extra={"reason": str(error)})
                self._is_failing = True

    def totals(self) -> Totals:
        """Return the totals of all processes, those that ended included.

        A file that cannot be read is left out.
        """
        self.write()
        totals: dict[str, dict[tuple[str, ...], float]] = {}
        for file in sorted(self._folder.glob("*.db")):
            try:
                values = list(_read(file))
            except _UNREADABLE as error:
                extra = {"file": file.name, "reason": str(error)}
                logger.warning("metrics file not readable", extra=extra)
                continue
            for (name, *labels), value in values:
                of_metric = totals.setdefault(name, {})
                of_metric[tuple(labels)] = of_metric.get(tuple(labels), 0.0) + value
        return totals

    def _on_addition(self) -> None:
        if self._thread is None and not self._closed:
            with self._starting:
                if self._thread is None:
                    thread = SupervisedThread("metrics", self._run)
                    with contextlib.suppress(RuntimeError):  # the next addition tries again
                        thread.start()
                        self._thread = thread

    def _run(self) -> None:
        while not self._closed:
            self._wake.wait(WRITE_SECONDS)
            self.write()

    def _on_fork(self) -> None:
        """Forget the parent's thread, locks and place; a lock of a file is the parent's still."""
        self._starting, self._writing = threading.Lock(), threading.Lock()
        self._thread, self._wake = None, threading.Event()
        if self._place:
            self._place.leave()
            self._place = None


class _Place:
    """A numbered file that this process alone writes, for as long as it holds the lock.

    Args:
        lock: the open lock file.
        file: the file of totals.
    """

    def __init__(self, lock: int, file: Path) -> None:
        self._lock = lock
        try:
            list(_read(file))
        except FileNotFoundError:
            pass
        except _UNREADABLE as error:
            extra = {"file": file.name, "reason": str(error)}
            logger.warning("metrics file is begun anew", extra=extra)
            file.unlink(missing_ok=True)
        self._totals = MmapedDict(str(file))

    def add(self, counted: Counted) -> None:
        """Add to the totals."""
        for key, number in counted.counts.items():
            self._add(_name(key), number)
        for key, durations in counted.durations.items():
            name = _name(key)
            for number, observations in enumerate(durations.buckets):
                if observations:
                    self._add([*name, str(number)], observations)
            self._add([*name, SUM], durations.total)

    def close(self) -> None:
        """Give the place to the next process."""
        self._totals.close()
        os.close(self._lock)

    def leave(self) -> None:
        """Close the copy of the lock that a fork made: the parent holds the place."""
        os.close(self._lock)

    def _add(self, parts: list[str], more: float) -> None:
        key = json.dumps(parts)
        value, _ = self._totals.read_value(key)
        self._totals.write_value(key, value + more, 0.0)


def _name(key: Key) -> list[str]:
    metric, labels = key
    return [metric.name, *labels]


def _free_place(folder: Path) -> _Place:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(MOST_PLACES):
        lock = os.open(folder / f"{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        try:
            return _Place(lock, folder / f"{number}.db")
        except BaseException:
            os.close(lock)
            raise
    raise OSError(f"{MOST_PLACES} processes have all places")


def _read(file: Path) -> Iterator[tuple[list[str], float]]:
    """Read the totals of a file, which its process may be writing.

    Raises:
        OSError, RuntimeError, ValueError, struct.error: it cannot be read.
    """
    for key, value, *_ in MmapedDict.read_all_values_from_file(str(file)):
        parts = json.loads(key)
        if not isinstance(parts, list):
            raise ValueError("no list of labels")  # noqa: TRY004 - as what is not even JSON
        yield [str(part) for part in parts], value
