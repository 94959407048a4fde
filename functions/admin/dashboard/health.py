"""Whether the servers that the service stands on answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooSlow
from dataclasses import dataclass

from shared.errors import ServiceError

PROBE_SECONDS = 4.0
"""A page must not wait for a server that is frozen."""

MILLISECONDS = 1000


@dataclass(frozen=True, slots=True)
class Health:
    """One server.

    Attributes:
        name: of the server.
        well: whether it answered.
        told: what it answered, or what is wrong.
        milliseconds: how long it took.
    """

    name: str
    well: bool
    told: str
    milliseconds: float


class Probes:
    """Asks all servers at once.

    Args:
        probes: by the server's name, what asks it and gives its answer in words; it raises
            `ServiceError` when the server does not answer.
    """

    def __init__(self, probes: Mapping[str, Callable[[], str]]) -> None:
        self._probes = probes
        # One thread for each, kept: a connection belongs to its thread.
        self._threads = ThreadPoolExecutor(max(1, len(probes)), "health")

    def ask(self) -> list[Health]:
        """Gives the state of every server."""
        asked = [(n, self._threads.submit(_timed, probe)) for n, probe in self._probes.items()]
        deadline = time.monotonic() + PROBE_SECONDS
        answers = []
        for name, future in asked:
            try:
                well, told, took = future.result(max(0.0, deadline - time.monotonic()))
            except TooSlow:
                future.cancel()
                well, told, took = False, "No answer in time", PROBE_SECONDS
            answers.append(Health(name, well, told, took * MILLISECONDS))
        return answers


def _timed(probe: Callable[[], str]) -> tuple[bool, str, float]:
    begun = time.monotonic()
    try:
        told, well = probe(), True
    except ServiceError as error:
        told, well = str(error), False
    return well, told, time.monotonic() - begun
