"""Clients that know what they were promised."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Self

from shared.http.signing import sign
from tests.helpers.waiting import join, until

TIMEOUT_SECONDS = 15.0
SEND_SECONDS = 60.0
"""For so long a request is sent again and again."""

OK, CREATED, CONFLICT = 200, 201, 409
SIZES = (0, 1, 1_000, 20_000, 65_536, 300_000, 1_500_000)
"""Sizes of ordinary objects: none, a byte, below and above what is copied in one go."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request.

    Attributes:
        key: the object.
        body: as it was signed.
        signature: of the body, hexadecimal; the ledger's key.
    """

    key: str
    body: bytes
    signature: str


@dataclass
class Promises:
    """What clients were told.

    Attributes:
        accepted: requests answered 201, by signature.
        known: requests answered 409 after an answer that was lost: they were recorded.
        unknown: requests that never got an answer, so that either may be true.
        answers: how many answers of each status there were.
    """

    accepted: dict[str, Asked] = field(default_factory=dict)
    known: dict[str, Asked] = field(default_factory=dict)
    unknown: dict[str, Asked] = field(default_factory=dict)
    answers: dict[int, int] = field(default_factory=dict)


class Client:
    """Sends signed requests, again and again until one is answered for good.

    Args:
        port: of the service.
        key: the HMAC key.
        promises: where answers are noted.
    """

    def __init__(self, port: int, key: str, promises: Promises) -> None:
        self._port = port
        self._key = key.encode()
        self._promises = promises
        self._lock = threading.Lock()

    def asked(self, key: str, **more: str) -> Asked:
        """Sign a request for an object."""
        fields = {
            "oeid": key[:200],
            "ref_id": str(len(key)),
            "file_name": key,
            "file_type": "application/octet-stream",
            **more,
        }
        body = json.dumps(fields).encode()
        return Asked(key, body, sign(self._key, body))

    def send(self, asked: Asked, seconds: float = SEND_SECONDS) -> int | None:
        """Send a request until it is accepted; return the last status, None for no answer."""
        deadline = time.monotonic() + seconds
        doubtful = False
        while True:
            status = self._once(asked)
            with self._lock:
                if status is not None:
                    self._promises.answers[status] = self._promises.answers.get(status, 0) + 1
                if status == CREATED:
                    self._promises.accepted[asked.signature] = asked
                    self._promises.unknown.pop(asked.signature, None)
                    return status
                if status == CONFLICT:
                    if doubtful:
                        self._promises.known[asked.signature] = asked
                        self._promises.unknown.pop(asked.signature, None)
                    return status
                if status not in (None, 503):
                    return status
                # The service may have recorded it before it, or its connection, died.
                doubtful = True
                self._promises.unknown[asked.signature] = asked
            if time.monotonic() > deadline:
                return status
            time.sleep(0.1)

    def counts(self) -> dict[str, int]:
        """Return the answer of `GET /sync/?detail=1`, asking again until it is one.

        The worker of a server whose first process was just killed answers until it notices that;
        then nobody does for a moment.

        Raises:
            NotInTime: there is none.
        """
        counts: dict[str, int] = {}

        def answered() -> bool:
            with contextlib.suppress(OSError, http.client.HTTPException):
                counts.update(self._counts())
            return bool(counts)

        until(answered, "the counts")
        return counts

    def _counts(self) -> dict[str, int]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request("GET", "/sync/?detail=1")
            answer = connection.getresponse()
            counts: dict[str, int] = json.loads(answer.read())
            return counts if answer.status == OK else {}
        finally:
            connection.close()

    def _once(self, asked: Asked) -> int | None:
        return self._post(self._port, asked)

    def _post(self, port: int, asked: Asked) -> int | None:
        """Send a request once; return the status of its answer, None for no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request(
                "POST",
                "/sync/",
                asked.body,
                {"Content-Type": "application/json", "Authorization": asked.signature},
            )
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return None
        else:
            return answer.status
        finally:
            connection.close()


class Clients:
    """Threads that send while its block runs, until `_done` is set.

    Args:
        runs: what each of them does.
    """

    def __init__(self, runs: Iterable[Callable[[], None]]) -> None:
        self._done = threading.Event()
        self._threads = [threading.Thread(target=run) for run in runs]

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
        self._done.set()
        join(*self._threads, seconds=2 * SEND_SECONDS)


class Load(Clients):
    """Several clients at work in the background while its block runs.

    Args:
        client: sends.
        prefix: begins the name of every object.
        seed: decides sizes and order.
        rate: requests a second, all clients together.
        clients: threads.
    """

    def __init__(
        self, client: Client, prefix: str, seed: int, rate: float = 40.0, clients: int = 6
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._pause = clients / rate
        super().__init__(
            partial(self._run, n, random.Random(f"{seed} {n}")) for n in range(clients)
        )

    def _run(self, number: int, chance: random.Random) -> None:
        count = 0
        while not self._done.is_set():
            count += 1
            size = chance.choice(SIZES)
            self._client.send(self._client.asked(f"plain/{size}/{self._prefix}/{number}-{count}"))
            self._done.wait(self._pause * chance.uniform(0.5, 1.5))
