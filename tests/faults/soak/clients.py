"""Clients at a steady pace: each request is sent until it is answered for good."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from shared.http.signing import sign
from tests.faults.soak.objects import ACCEPTED, KNOWN, Book, key
from tests.helpers.waiting import join

CLIENTS = 8
TIMEOUT_SECONDS = 15.0
RETRY_SECONDS = 0.2
"""Until a request is sent again that was not answered."""

ANSWERED_SECONDS = 1.5
"""Until one is sent again that was answered 503 or 412: a signature may come 50 times a minute."""

MOST_OUTSTANDING = 5_000
"""Clients wait while so many objects are under way, so that a slow machine takes longer and its
storage and queue stay small."""

CREATED, CONFLICT, LIMITED, UNAVAILABLE = 201, 409, 412, 503


class Clients:
    """Threads that send one request after the other while their block runs.

    Args:
        ports: of the service; each try goes to one of them.
        secret: the HMAC key.
        book: where answers are noted.
        rate: requests a second, all together; what an outage delayed is caught up.
        seed: decides which port.

    Attributes:
        recorded: numbers of objects whose request was recorded, for who verifies.
        answers: how many answers of each status there were; None is no answer.
    """

    def __init__(
        self, ports: Sequence[int], secret: str, book: Book, rate: float, seed: int
    ) -> None:
        self.recorded: deque[int] = deque()
        self.answers: Counter[int | None] = Counter()
        self._ports = ports
        self._secret = secret.encode()
        self._book = book
        self._rate = rate
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(random.Random(f"{seed} {n}"),))
            for n in range(CLIENTS)
        ]

    @property
    def done(self) -> bool:
        """Whether every request is answered for good."""
        return not any(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Begin no further object."""
        self._stopping.set()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        join(*self._threads, seconds=10 * TIMEOUT_SECONDS)

    def _run(self, chance: random.Random) -> None:
        connections = [
            http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
            for port in self._ports
        ]
        while (number := self._next()) is not None:
            state = self._send(number, connections, chance)
            if state is not None:
                with self._lock:
                    self._book.states[number] = state
                    self._book.recorded += 1
                self.recorded.append(number)
        for connection in connections:
            connection.close()

    def _next(self) -> int | None:
        """Return the next object once it is due, None after the last."""
        while not self._stopping.is_set():
            with self._lock:
                number = self._book.taken
                if number == len(self._book.states):
                    return None
                wait = self._began + number / self._rate - time.monotonic()
                if wait <= 0 and self._book.outstanding < MOST_OUTSTANDING:
                    self._book.taken += 1
                    return number
            self._stopping.wait(max(0.02, min(wait, 0.5)))
        return None

    def _send(
        self, number: int, connections: Sequence[http.client.HTTPConnection], chance: random.Random
    ) -> int | None:
        """Send a request until it is recorded; return its state, None if it was refused."""
        name = key(number)
        body = json.dumps(
            {
                "oeid": str(number),
                "ref_id": str(number),
                "file_name": name,
                "file_type": "application/octet-stream",
            }
        ).encode()
        headers = {"Content-Type": "application/json", "Authorization": sign(self._secret, body)}
        doubtful = False
        while True:
            status = _once(chance.choice(connections), body, headers)
            with self._lock:
                self.answers[status] += 1
            if status == CREATED:
                return ACCEPTED
            if status == CONFLICT and doubtful:
                return KNOWN
            if status not in (None, LIMITED, UNAVAILABLE):
                self._book.complaints.append(f"the request for {name} was answered {status}")
                return None
            # It may have been recorded before the service, or the connection, died.
            doubtful = True
            time.sleep(RETRY_SECONDS if status is None else ANSWERED_SECONDS)


def _once(
    connection: http.client.HTTPConnection, body: bytes, headers: dict[str, str]
) -> int | None:
    try:
        connection.request("POST", "/sync/", body, headers)
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        connection.close()
        return None
    return answer.status
