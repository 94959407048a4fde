"""What happens to the service meanwhile: kills, outages and full disks, one over the other."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import logging
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.errors import ServiceError
from tests.faults.harness.object_store import Everywhere
from tests.faults.harness.servers import Faulty, descendants
from tests.faults.harness.services import Service
from tests.faults.harness.stack import Stack
from tests.helpers.tcp_proxy import Condition

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 0.1

Undo = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that can happen.

    Attributes:
        name: as the report has it.
        begin: has it happen; returns what ends it, None where it ends by itself.
        seconds: how long it lasts, shortest and longest.
    """

    name: str
    begin: Callable[[], Undo | None]
    seconds: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Stream:
    """Faults that come one after the other, while those of other streams go on.

    Attributes:
        faults: one is chosen each time.
        every: seconds between two, shortest and longest.
    """

    faults: Sequence[Fault]
    every: tuple[float, float]


class Torment:
    """Streams of faults and other things that recur, all in the thread that calls `run`.

    One thread does it all: a server ends with the thread that started it.

    Args:
        streams: of faults.
        seed: decides which fault comes when.
        tempo: multiplies all times; below 1 faults come faster.

    Attributes:
        counts: how often each fault has come.
    """

    def __init__(self, streams: Sequence[Stream], seed: int, tempo: float = 1.0) -> None:
        self.counts: Counter[str] = Counter()
        self._chance = random.Random(seed)
        self._tempo = tempo
        self._order = itertools.count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._going_on: list[Undo] = []
        for stream in streams:
            self._next(stream)

    def every(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something again and again, the first time at once."""

        def act() -> None:
            action()
            self._push(seconds, act)

        self._push(0.0, act)

    def run(self, is_over: Callable[[], bool]) -> None:
        """Have it all happen until a condition is true, and end what is going on then."""
        try:
            while not is_over():
                if self._events and self._events[0][0] <= time.monotonic():
                    heapq.heappop(self._events)[2]()
                else:
                    time.sleep(PAUSE_SECONDS)
        finally:
            for undo in self._going_on:
                undo()
            self._going_on.clear()

    def _next(self, stream: Stream) -> None:
        seconds = self._chance.uniform(*stream.every) * self._tempo
        self._push(seconds, lambda: self._strike(stream))

    def _strike(self, stream: Stream) -> None:
        fault = self._chance.choice(stream.faults)
        undo = fault.begin()
        self.counts[fault.name] += 1
        logger.info("%s", fault.name)
        if undo is None:
            self._next(stream)
            return
        self._going_on.append(undo)

        def end() -> None:
            self._going_on.remove(undo)
            undo()
            logger.info("%s: over", fault.name)
            self._next(stream)

        self._push(self._chance.uniform(*fault.seconds) * self._tempo, end)

    def _push(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (time.monotonic() + seconds, next(self._order), action))


def streams(stack: Stack, keeper: Keeper, fill: Callable[[], Undo] | None) -> list[Stream]:
    """Return what can happen to a stack.

    Args:
        stack: the service.
        keeper: of its servers.
        fill: fills the storage's disk and returns what frees it; None where it cannot be filled.
    """
    servers = stack.servers
    rabbitmq = _down(keeper, "killed", servers.rabbitmq, servers.rabbitmq.kill)
    found = [
        Stream([_killed(service) for service in stack.services], (8.0, 25.0)),
        Stream(
            [
                Fault(
                    "PostgreSQL: one of its processes killed",
                    lambda: _kill_backend(servers.postgres),
                ),
                _down(keeper, "killed", servers.postgres, servers.postgres.kill),
                _down(keeper, "stopped", servers.postgres, servers.postgres.stop),
                _down(keeper, "killed", servers.memcached, servers.memcached.kill),
                _down(keeper, "killed", servers.store, servers.store.kill),
            ],
            (15.0, 45.0),
        ),
        # It takes long to start where processors are few: a minute and more on a busy machine.
        Stream([rabbitmq], (200.0, 500.0)),
        Stream(
            [
                _network(server, condition)
                for server in (servers.store, servers.rabbitmq, servers.postgres, servers.memcached)
                for condition in (Condition.RESET, Condition.SILENT, Condition.SLOW)
            ],
            (30.0, 90.0),
        ),
        Stream(
            [
                Fault(f"S3: every object {everywhere}", _everywhere(stack, everywhere), (3.0, 10.0))
                for everywhere in (Everywhere.BROKEN, Everywhere.DENIED, Everywhere.NO_BUCKET)
            ],
            (60.0, 180.0),
        ),
    ]
    if fill is not None:
        found.append(Stream([Fault("storage full", fill, (5.0, 15.0))], (60.0, 180.0)))
    return found


def _killed(service: Service) -> Fault:
    """Kill the process, or one below it."""

    def kill() -> None:
        if pid := service.pid:
            _kill(random.choice(descendants(pid)))

    return Fault(f"{service.command} killed", kill)


def _kill_backend(postgres: Faulty) -> None:
    """Kill one of PostgreSQL's processes below the first, which then restarts them all."""
    pid = postgres.server.pid
    if pid is not None and (children := descendants(pid)[1:]):
        _kill(random.choice(children))


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


class Keeper:
    """Starts servers again without waiting for them: faults go on while RabbitMQ takes its time.

    Args:
        servers: that are to run.
    """

    def __init__(self, servers: Sequence[Faulty]) -> None:
        self._servers = servers
        self._down: set[Faulty] = set()

    def end(self, server: Faulty, how: Callable[[], None]) -> Undo:
        """End a server; return what has it start again."""
        self._down.add(server)
        how()

        def start() -> None:
            self._down.discard(server)
            self.look_after()

        return start

    def look_after(self) -> None:
        """Start what does not run and is meant to."""
        for server in self._servers:
            if server not in self._down and server.server.pid is None:
                with contextlib.suppress(ServiceError):  # the next look tries again
                    server.server.start()


def _down(keeper: Keeper, how: str, server: Faulty, end: Callable[[], None]) -> Fault:
    return Fault(f"{server.name} {how}", lambda: keeper.end(server, end), (0.0, 4.0))


def _network(server: Faulty, condition: Condition) -> Fault:
    def begin() -> Undo:
        server.proxy.set_condition(condition)
        return lambda: server.proxy.set_condition(Condition.NORMAL)

    return Fault(f"{server.name}: network {condition.value}", begin, (2.0, 12.0))


def _everywhere(stack: Stack, everywhere: Everywhere) -> Callable[[], Undo]:
    def set_to(value: Everywhere) -> None:
        with contextlib.suppress(OSError):  # it is down, and comes back as normal
            stack.servers.object_store.set_everywhere(value)

    def begin() -> Undo:
        set_to(everywhere)
        return lambda: set_to(Everywhere.NORMAL)

    return begin
