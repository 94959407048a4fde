"""Clients of two front ends, who note when they were answered and how long it took."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from tests.faults.harness.load import CREATED, SEND_SECONDS, SIZES, Asked, Client, Promises
from tests.helpers.waiting import join

CLIENTS = 16


class TwoDoors(Client):
    """Sends each request to the next of several front ends, as a name with two addresses does.

    Args:
        ports: of the front ends.
        key: the HMAC key.
        promises: where answers are noted.

    Attributes:
        accepted_at: when requests were answered 201, in seconds since 1970.
        slowest: seconds that an answer took, or its absence was noticed.
        refused: answers 5xx, and connections that failed.
    """

    def __init__(self, ports: Sequence[int], key: str, promises: Promises) -> None:
        super().__init__(ports[0], key, promises)
        self._ports = itertools.cycle(ports)
        self.accepted_at: list[float] = []
        self.slowest = 0.0
        self.refused = 0

    def _once(self, asked: Asked) -> int | None:
        began = time.monotonic()
        status = self._post(next(self._ports), asked)
        self.slowest = max(self.slowest, time.monotonic() - began)
        if status == CREATED:
            self.accepted_at.append(time.time())
        elif status is None or status >= 500:
            self.refused += 1
        return status


class PacedLoad:
    """Requests at moments that are set in advance while its block runs, however slow answers are.

    What could not be sent in time, because every client waits for an answer, is sent after it.

    Args:
        client: sends.
        prefix: begins the name of every object.
        seed: decides sizes.
        rate: requests a second.
    """

    def __init__(self, client: Client, prefix: str, seed: int, rate: float) -> None:
        self._client = client
        self._prefix = prefix
        self._seed = seed
        self._rate = rate
        self._numbers = itertools.count()
        self._began = 0.0
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(CLIENTS)]

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        join(*self._threads, seconds=2 * SEND_SECONDS)

    def _run(self) -> None:
        while True:
            number = next(self._numbers)
            due = self._began + number / self._rate
            if self._done.wait(max(0.0, due - time.monotonic())):
                return
            size = random.Random(f"{self._seed} {number}").choice(SIZES)
            self._client.send(self._client.asked(f"plain/{size}/{self._prefix}/{number}"))
