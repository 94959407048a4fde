"""One contract for every cache: counters that live for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from local.servers.memcached import MemcachedServer
from shared import adapters
from shared.cache.fallback import FallbackCache
from shared.cache.interface import Cache, Counter
from shared.cache.memcached import MemcachedCache
from shared.cache.memory import MemoryCache
from shared.cache.postgres import QUERIES, PostgresCache
from shared.cache.spread import SpreadCache
from shared.config.settings import Settings
from shared.errors import CacheUnavailable
from shared.ledger.database import Database
from shared.ledger.ledger import Ledger
from tests.helpers.fake_cache import FakeCache
from tests.helpers.servers import execute, free_port
from tests.helpers.waiting import until

LIFETIME = 60
PATIENCE = 30.0
"""Seconds: these tests are about counting, and a busy machine answers late."""


def counter(name: str = "a", window: int = 7, lifetime: int = LIFETIME) -> Counter:
    return Counter(f"{name}:{window}", f"{name}:{window - 1}", lifetime)


@pytest.fixture(params=["memory", "memcached", "spread", "fake", "postgres", "fallback"])
def cache(request: pytest.FixtureRequest) -> Iterator[Cache]:
    if request.param in {"memory", "fake"}:
        yield MemoryCache() if request.param == "memory" else FakeCache(time.monotonic)
        return
    if request.param in {"postgres", "fallback"}:
        database = Database(request.getfixturevalue("database_url"), QUERIES)
        counters = PostgresCache(database)
        yield counters if request.param == "postgres" else FallbackCache([_gone(), counters])
        counters.close()
        return
    address = request.getfixturevalue("memcached_address")
    memcached: Cache = MemcachedCache(address, timeout=PATIENCE)
    if request.param == "spread":
        other: MemcachedServer = request.getfixturevalue("start_server")(
            MemcachedServer(request.getfixturevalue("tmp_path") / "other", free_port())
        )
        places = (address, ("localhost", int(other.address.rpartition(":")[2])))
        memcached = SpreadCache(places, partial(MemcachedCache, timeout=PATIENCE))
    yield memcached
    memcached.close()


def _gone() -> Cache:
    return MemcachedCache(("127.0.0.1", free_port()))


def test_a_counter_counts_from_one(cache: Cache) -> None:
    assert [cache.count([counter()]) for _ in range(3)] == [[(1, 0)], [(2, 0)], [(3, 0)]]


def test_the_window_before_is_counted_beside(cache: Cache) -> None:
    for _ in range(4):
        cache.count([counter(window=6)])
    assert cache.count([counter(window=7)]) == [(1, 4)]
    assert cache.count([counter(window=8)]) == [(1, 1)]


def test_several_counters_are_counted_in_their_order(cache: Cache) -> None:
    cache.count([counter("b")])
    assert cache.count([counter("a"), counter("b"), counter("c")]) == [(1, 0), (2, 0), (1, 0)]


def test_requests_of_one_counter_get_a_number_each(cache: Cache) -> None:
    cache.count([counter("a", window=6)])
    cache.count([counter("a")])
    asked = [counter("a"), counter("b"), counter("a"), counter("a")]
    assert cache.count(asked) == [(2, 1), (1, 0), (3, 1), (4, 1)]
    assert cache.count([counter("a")]) == [(5, 1)]


def test_what_is_taken_back_does_not_count(cache: Cache) -> None:
    cache.count([counter("a"), counter("b")])
    cache.count([counter("a"), counter("b")])
    cache.take_back([counter("a")])
    assert cache.count([counter("a"), counter("b")]) == [(2, 0), (3, 0)]


def test_nothing_is_taken_back_below_zero(cache: Cache) -> None:
    cache.take_back([counter()])
    cache.count([counter()])
    cache.take_back([counter()])
    cache.take_back([counter()])
    assert cache.count([counter()]) == [(1, 0)]


def test_no_count_is_lost_between_threads(cache: Cache) -> None:
    barrier = threading.Barrier(16, timeout=30)

    def count(_: int) -> list[int]:
        barrier.wait()
        return [cache.count([counter()])[0][0] for _ in range(25)]

    with ThreadPoolExecutor(16) as threads:
        counted = [number for numbers in threads.map(count, range(16)) for number in numbers]
    assert sorted(counted) == list(range(1, 401))


def test_the_longest_key_of_a_limit_is_taken(cache: Cache) -> None:
    name = f"post:2001:0db8:1111:2222:3333:4444:5555:6666:{'f' * 64}"
    assert cache.count([counter(name, 10**10)]) == [(1, 0)]


def test_it_answers_a_ping(cache: Cache) -> None:
    cache.ping()


def test_closing_is_safe_to_repeat(cache: Cache) -> None:
    cache.count([counter()])
    cache.close()
    cache.close()


def memcached_that_is_gone() -> Cache:
    return MemcachedCache(("127.0.0.1", free_port()))


def fake_that_is_gone() -> Cache:
    return FakeCache(time.monotonic, answers=0)


@pytest.mark.parametrize("make", [memcached_that_is_gone, fake_that_is_gone])
def test_a_cache_that_is_unreachable_raises_one_error(make: Callable[[], Cache]) -> None:
    cache = make()
    for call in (
        lambda: cache.count([counter()]),
        lambda: cache.take_back([counter()]),
        cache.ping,
    ):
        with pytest.raises(CacheUnavailable):
            call()


def test_a_counter_is_forgotten_after_its_life() -> None:
    now = 0.0
    cache = MemoryCache(lambda: now)
    cache.count([counter()])
    now = LIFETIME - 1.0
    assert cache.count([counter()]) == [(2, 0)]
    now = float(LIFETIME)
    assert cache.count([counter()]) == [(1, 0)]


def test_memcached_forgets_a_counter_after_its_life(memcached_address: tuple[str, int]) -> None:
    cache = MemcachedCache(memcached_address)
    cache.count([counter(lifetime=1)])
    until(lambda: _remaining(cache) == 0)
    cache.close()


def _remaining(cache: MemcachedCache) -> int:
    """Return the counter of `counter()` without counting, as the window before another."""
    return cache.count([Counter("reader", counter().key, LIFETIME)])[0][1]


def test_memory_stays_bounded() -> None:
    now = 0.0
    cache = MemoryCache(lambda: now)
    for number in range(50_000):
        now = number / 100
        cache.count([Counter(f"k{number}", "none", 10)])
    assert len(cache) < 25_000


def test_expired_counters_are_removed_from_postgresql(database_url: str) -> None:
    """Not by every request: that would read the whole table each time."""
    execute(
        database_url,
        "INSERT INTO counter SELECT 'old:' || n, 1, now() - interval '2 minutes'"
        " FROM generate_series(1, 500) AS n",
    )
    ledger = Ledger.at(database_url)
    cache = adapters.cache(Settings(on_lambda=True), ledger)
    counters = ledger.database.with_queries(Path(__file__).with_name("looking.sql"))
    left = [500]
    while left[-1] and len(left) < 5_000:
        cache.count([counter()])
        left.append(counters.run("expired")[0].number)
    assert set(left) == {500, 0}
    ledger.close()


def test_the_settings_choose_the_cache() -> None:
    ledger = Ledger.at("postgresql://127.0.0.1:1/none")
    assert isinstance(adapters.cache(Settings(), ledger), MemoryCache)
    memcached = adapters.cache(Settings(memcached_url=(("127.0.0.1", 1),)), ledger)
    assert isinstance(memcached, MemcachedCache)
    for places in ((("cache.internal", 1),), (("127.0.0.1", 1), ("127.0.0.1", 2))):
        assert isinstance(adapters.cache(Settings(memcached_url=places), ledger), SpreadCache)


def test_execution_environments_of_lambda_count_together(database_url: str) -> None:
    on_lambda = Settings(on_lambda=True)
    ledgers = [Ledger.at(database_url) for _ in range(3)]
    caches = [adapters.cache(on_lambda, ledger) for ledger in ledgers]
    assert [cache.count([counter()]) for cache in caches] == [[(1, 0)], [(2, 0)], [(3, 0)]]
    for ledger in ledgers:
        ledger.close()


def test_counters_on_lambda_need_no_connection_of_their_own(database_url: str) -> None:
    ledger = Ledger.at(database_url)
    cache = adapters.cache(Settings(on_lambda=True), ledger)
    backends = Path(__file__).with_name("looking.sql")
    for _ in range(3):
        cache.count([counter()])
        ledger.ping()
    asked = ledger.database.with_queries(backends).run("others")
    assert [row.number for row in asked] == [0]
    ledger.close()
