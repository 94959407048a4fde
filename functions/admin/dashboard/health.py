"""Health checks: whether the servers that the service depends on answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.deadline import within
from shared.errors import ServiceError

PROBE_SECONDS = 4.0
"""Seconds for all servers together: a page must not wait for one that is frozen."""

MILLISECONDS = 1000


@dataclass(frozen=True, slots=True)
class Health:
    """The health of one server.

    Attributes:
        name: of the server.
        ok: whether it answered.
        detail: what it answered, or what is wrong.
        milliseconds: how long it took.
        since: when this process first saw that it does not answer (aware), None if it does.
    """

    name: str
    ok: bool
    detail: str
    milliseconds: float
    since: datetime | None = None


class HealthChecks:
    """Asks all servers at once.

    Args:
        probes: for each server's name, what asks it and returns its answer in words; it raises
            `ServiceError` if the server does not answer.
        seconds: how long to wait for all of them.
        clock: returns the time now, aware.
    """

    def __init__(
        self,
        probes: Mapping[str, Callable[[], str]],
        seconds: float = PROBE_SECONDS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._probes = probes
        self._seconds = seconds
        self._clock = clock
        self._failing_since: dict[str, datetime] = {}
        # One thread for each, kept: a connection belongs to its thread.
        self._threads = ThreadPoolExecutor(max(1, len(probes)), "health")

    def run(self) -> list[Health]:
        """Return the health of every server."""
        started = [
            (name, self._threads.submit(_timed, probe)) for name, probe in self._probes.items()
        ]
        deadline = time.monotonic() + within(self._seconds)
        found = []
        for name, future in started:
            try:
                ok, detail, seconds = future.result(max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                future.cancel()
                ok, detail, seconds = False, "No response in time", self._seconds
            since = None if ok else self._failing_since.setdefault(name, self._clock())
            if ok:
                self._failing_since.pop(name, None)
            found.append(Health(name, ok, detail, seconds * MILLISECONDS, since))
        return found


def _timed(probe: Callable[[], str]) -> tuple[bool, str, float]:
    started = time.monotonic()
    try:
        detail, ok = probe(), True
    except ServiceError as error:
        detail, ok = str(error), False
    return ok, detail, time.monotonic() - started
