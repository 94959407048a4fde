"""Reading the metrics for /metrics: what processes have counted, and how the service is now."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime

from shared.errors import Unavailable
from shared.metrics.catalog import UP, Sample
from shared.metrics.exposition import CONTENT_TYPE, render
from shared.metrics.shared_files import SharedFiles

logger = logging.getLogger(__name__)

SECONDS = 2.0
"""Until then every part must have answered; Prometheus itself waits for 10 s by default."""


class MetricsReader:
    """Reads all metrics, within a time limit.

    A part that does not answer in time is missing from the answer, and its `sync_up` is 0. Every
    part is asked in a thread of its own, one at a time: while one hangs, no further thread waits
    for it.

    Args:
        counts: what the processes of this machine have counted.
        parts: by name, what reads the gauges of a part.
        seconds: how long all of them together may take.
    """

    content_type = CONTENT_TYPE

    def __init__(
        self,
        counts: SharedFiles,
        parts: Mapping[str, Callable[[], Sequence[Sample]]],
        seconds: float = SECONDS,
    ) -> None:
        self._counts = counts
        self._parts = parts
        self._seconds = seconds
        self._lock = threading.Lock()
        self._running: dict[str, Future[Sequence[Sample]]] = {}

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        deadline = time.monotonic() + self._seconds
        asked = {name: self._ask(name) for name in self._parts}
        samples: list[Sample] = []
        for name, future in asked.items():
            found = self._answer(name, future, max(0.0, deadline - time.monotonic()))
            samples += found or ()
            samples.append(Sample(UP, found is not None, (name,)))
        return render(self._counts.totals(), samples)

    def _ask(self, name: str) -> Future[Sequence[Sample]]:
        with self._lock:
            running = self._running.get(name)
            if running is not None and not running.done():
                return running
            future: Future[Sequence[Sample]] = Future()
            self._running[name] = future
        threading.Thread(
            target=_read, args=(self._parts[name], future), name=f"metrics {name}", daemon=True
        ).start()
        return future

    @staticmethod
    def _answer(
        name: str, future: Future[Sequence[Sample]], seconds: float
    ) -> Sequence[Sample] | None:
        try:
            return future.result(seconds)
        except (Unavailable, OSError, NotInTime) as error:
            logger.debug("metrics not read", extra={"part": name, "reason": str(error)})
        except Exception:  # a defect in one part must not hide the others
            logger.exception("metrics not read", extra={"part": name})
        return None


def _read(read: Callable[[], Sequence[Sample]], future: Future[Sequence[Sample]]) -> None:
    try:
        future.set_result(read())
    except BaseException as error:  # noqa: BLE001 - whoever waits for the future gets it
        future.set_exception(error)
