"""Clients behind a load balancer with two front ends, and what they note of the answers."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import random
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from tests.faults.harness.load import CREATED, SIZES, Asked, Client, Clients, Promises
from tests.helpers.waiting import join

CLIENTS = 16
LOOK_SECONDS = 1.0
SILENT_SECONDS = 3.0
SERVER_FAULT = 500


class TwoDoors(Client):
    """Sends each request to the next of several front ends, to one that is ready if there is one.

    As a load balancer does, it looks at `/readyz` of each every second; `with` ends that.

    Args:
        ports: of the front ends.
        key: the HMAC key.
        promises: where answers are noted.

    Attributes:
        accepted_at: when requests were answered 201, in seconds since 1970.
        slowest: seconds that the slowest answer took.
        unanswered: requests without an answer.
        refused: answers 5xx.
    """

    def __init__(self, ports: Sequence[int], key: str, promises: Promises) -> None:
        super().__init__(ports[0], key, promises)
        self._ports = itertools.cycle(ports)
        self._unready: set[int] = set()
        self._closing = threading.Event()
        self._watchers = [threading.Thread(target=self._watch, args=(port,)) for port in ports]
        self._number = len(ports)
        self.accepted_at: list[float] = []
        self.slowest = 0.0
        self.unanswered = self.refused = 0

    def __enter__(self) -> Self:
        for watcher in self._watchers:
            watcher.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        join(*self._watchers)

    def _once(self, asked: Asked) -> int | None:
        candidates = itertools.islice(self._ports, self._number)
        port = next((p for p in candidates if p not in self._unready), next(self._ports))
        began = time.monotonic()
        status = self._post(port, asked)
        if status is None:
            self.unanswered += 1
            return None
        self.slowest = max(self.slowest, time.monotonic() - began)
        if status == CREATED:
            self.accepted_at.append(time.time())
        elif status >= SERVER_FAULT:
            self.refused += 1
        return status

    def _watch(self, port: int) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            link = http.client.HTTPConnection("127.0.0.1", port, timeout=SILENT_SECONDS)
            try:
                with contextlib.closing(link):
                    link.request("GET", "/readyz")
                    is_ready = link.getresponse().status < SERVER_FAULT
            except (OSError, http.client.HTTPException):
                is_ready = False
            if is_ready:
                self._unready.discard(port)
            else:
                self._unready.add(port)


class PacedLoad(Clients):
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
        super().__init__([self._run] * CLIENTS)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        return super().__enter__()

    def _run(self) -> None:
        while True:
            number = next(self._numbers)
            due = self._began + number / self._rate
            if self._done.wait(max(0.0, due - time.monotonic())):
                return
            size = random.Random(f"{self._seed} {number}").choice(SIZES)
            self._client.send(self._client.asked(f"plain/{size}/{self._prefix}/{number}"))
