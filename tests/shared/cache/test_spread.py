from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from local.servers.memcached import MemcachedServer
from shared.cache.interface import Cache, Counter
from shared.cache.memcached import MemcachedCache
from shared.cache.spread import LOOK_UP_SECONDS, Place, SpreadCache
from shared.errors import CacheUnavailable
from tests.helpers.fake_cache import FakeCache
from tests.helpers.freezing import frozen
from tests.helpers.servers import free_port
from tests.helpers.waiting import until

PLACES = (("10.0.0.1", 1), ("10.0.0.2", 1), ("10.0.0.3", 1))
NAMES = [f"get:192.0.2.{number}" for number in range(250)]
PATIENCE = 30.0


class Clock:
    """A clock that only moves when it is told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Counting(FakeCache):
    """A server in memory that knows which names it has counted."""

    def __init__(self) -> None:
        super().__init__(time.monotonic)
        self.names: set[str] = set()

    def count(self, counters: Sequence[Counter]) -> list[tuple[int, int]]:
        counts = super().count(counters)
        self.names |= {counter.name for counter in counters}
        return counts


class Fleet:
    """Such servers by their places."""

    def __init__(self) -> None:
        self.servers: dict[Place, Counting] = {}

    def connect(self, place: Place) -> Counting:
        return self.servers.setdefault(place, Counting())


def counter(name: str, window: int = 7) -> Counter:
    return Counter(f"{name}:{window}", f"{name}:{window - 1}", 60)


def resolving(addresses: Mapping[str, Sequence[str]]) -> Callable[..., Sequence[Any]]:
    """Return a look-up of names, each address of the family that it looks like."""

    def look_up(host: str, port: int, **_: object) -> Sequence[Any]:
        found = addresses.get(host, [host])
        if not found:
            raise OSError
        return [
            (socket.AF_INET6 if ":" in a else socket.AF_INET, 1, 6, "", (a, port)) for a in found
        ]

    return look_up


def test_every_process_asks_the_same_server_in_every_window() -> None:
    one, other = Fleet(), Fleet()
    first = SpreadCache(PLACES, one.connect)
    second = SpreadCache(PLACES[::-1], other.connect)
    for window in (7, 8):
        first.count([counter(name, window) for name in NAMES])
    for name in NAMES:
        second.count([counter(name, 7)])
    for place, server in other.servers.items():
        assert one.servers[place].names == server.names
        assert len(server.names) > len(NAMES) / 5


def test_without_a_server_only_its_own_counters_move() -> None:
    fleet = Fleet()
    cache = SpreadCache(PLACES, fleet.connect)
    cache.count([counter(name) for name in NAMES])
    dead, *others = PLACES
    moved = fleet.servers[dead].names
    before = {place: set(fleet.servers[place].names) for place in others}
    fleet.servers[dead].answers = 0
    assert [number for number, _ in cache.count([counter(name) for name in NAMES])] == [
        1 if name in moved else 2 for name in NAMES
    ]
    taken = [fleet.servers[place].names - before[place] for place in others]
    assert set().union(*taken) == moved
    assert all(taken)  # spread over them


def test_without_any_server_it_is_unavailable() -> None:
    fleet = Fleet()
    cache = SpreadCache(PLACES, fleet.connect)
    cache.ping()
    for server in fleet.servers.values():
        server.answers = 0
    with pytest.raises(CacheUnavailable):
        cache.count([counter("a")])
    with pytest.raises(CacheUnavailable, match="3 of 3"):
        cache.ping()


@pytest.mark.parametrize(
    ("addresses", "servers"),
    [
        (["10.0.0.8"], [("cache", 1)]),
        (["10.0.0.9", "10.0.0.8"], [("10.0.0.8", 1), ("10.0.0.9", 1)]),
        (["::1", "127.0.0.1"], [("127.0.0.1", 1)]),
        (["fd00::2", "fd00::1"], [("fd00::1", 1), ("fd00::2", 1)]),
        ([], [("cache", 1)]),
    ],
)
def test_a_name_with_several_addresses_is_several_servers(
    addresses: list[str], servers: list[Place]
) -> None:
    fleet = Fleet()
    cache = SpreadCache([("cache", 1)], fleet.connect, look_up=resolving({"cache": addresses}))
    cache.ping()
    assert sorted(fleet.servers) == servers


def test_a_name_is_looked_up_again_after_a_failure_and_not_at_each() -> None:
    clock, fleet = Clock(), Fleet()
    addresses = {"cache": ["10.0.0.1", "10.0.0.2"]}
    asked = threading.Semaphore(0)

    def look_up(*arguments: Any, **options: Any) -> Sequence[Any]:
        asked.release()
        return resolving(addresses)(*arguments, **options)

    cache = SpreadCache([("cache", 1)], fleet.connect, clock, look_up)
    cache.ping()
    assert asked.acquire(timeout=0)
    fleet.servers["10.0.0.1", 1].answers = 0
    addresses["cache"] = ["10.0.0.2", "10.0.0.3"]
    names = [counter(name) for name in NAMES]
    cache.count(names)
    assert not asked.acquire(timeout=0)
    clock.now += LOOK_UP_SECONDS
    cache.count(names)
    assert asked.acquire(timeout=10)
    until(lambda: ("10.0.0.3", 1) in fleet.servers)
    cache.ping()  # the dead one is not asked any more


@pytest.fixture
def two(
    tmp_path: Path, start_server: Callable[[MemcachedServer], MemcachedServer]
) -> list[MemcachedServer]:
    return [start_server(MemcachedServer(tmp_path / f"{n}", free_port())) for n in range(2)]


@contextmanager
def spread(servers: list[MemcachedServer], timeout: float) -> Iterator[Cache]:
    places = [("127.0.0.1", int(server.address.rpartition(":")[2])) for server in servers]
    with closing(SpreadCache(places, partial(MemcachedCache, timeout=timeout))) as cache:
        yield cache


def test_a_killed_memcached_costs_its_share(two: list[MemcachedServer]) -> None:
    names = [counter(name) for name in NAMES]
    with spread(two, PATIENCE) as cache:
        assert cache.count(names) == [(1, 0)] * len(names)
        two[0].stop()
        counts = [number for number, _ in cache.count(names)]
        assert {1, 2} == set(counts)
        assert [number for number, _ in cache.count(names)] == [number + 1 for number in counts]


def test_a_frozen_memcached_delays_one_request_by_its_timeout(two: list[MemcachedServer]) -> None:
    timeout = 0.5  # more than a busy machine takes to answer
    with spread(two, timeout) as cache:
        until(lambda: answers(cache))
        with frozen(two[0].pid):
            began = time.monotonic()
            for name in NAMES[:100]:
                assert cache.count([counter(name)]) == [(1, 0)]
            # Half of them are that server's: it is asked again after each back-off only.
            assert time.monotonic() - began < 10 * timeout


def answers(cache: Cache) -> bool:
    try:
        cache.ping()
    except CacheUnavailable:
        return False
    return True
