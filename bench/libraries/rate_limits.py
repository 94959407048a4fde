"""Our rate limits against those of `limits`, both over the same memcached.

A request is counted against three limits. `limits` has no moving window on memcached
(`MovingWindowRateLimiter` refuses the storage), so its sliding counter, which approximates as ours
does, and its fixed window stand in.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from limits import parse as parse_limit
from limits.storage import MemcachedStorage
from limits.strategies import FixedWindowRateLimiter, SlidingWindowCounterRateLimiter

from bench.figure import Figure
from bench.libraries.ours import Limited, MemcachedCache, RateLimit, RateLimiter
from bench.libraries.round_trips import LOOPBACK, Relay
from bench.libraries.timing import in_turn
from bench.setting import Setting

REQUESTS = 2_000
"""In one run, each from one of the clients."""

CLIENTS = 50
"""Addresses, so that counters are begun as well as added to."""

THREADS = 16
LIMIT = 1_000_000
NAMES = ("signature", "client", "all")
COUNTED = 100
"""Requests whose round trips are counted."""

Check = Callable[[str], object]


def measure(setting: Setting) -> Iterator[Figure]:
    """Compare µs for each request, in one thread and in several, and round trips."""
    port = int(setting.stack.memcached.address.rpartition(":")[2])
    makers = {"ours": _ours, "sliding": _sliding, "fixed": _fixed}
    checks = {name: make(port) for name, make in makers.items()}
    words = {"sliding": "limits, sliding window counter", "fixed": "limits, fixed window"}
    for threads in (1, THREADS):
        contenders = {
            name: _run(check, threads, f"{name}-{threads}") for name, check in checks.items()
        }
        micros = in_turn(setting, f"rate limits, {threads} threads", contenders)
        ours = micros.pop("ours")
        what = f"three rate limits, {threads} thread{'' if threads == 1 else 's'}"
        for name, references in micros.items():
            yield Figure(what, ours, "µs/request", None, references, words[name])
    trips = {name: [_round_trips(make, port)] for name, make in makers.items()}
    ours = trips.pop("ours")
    for name, references in trips.items():
        yield Figure("three rate limits", ours, "round trips", None, references, words[name])


def _run(check: Check, threads: int, prefix: str) -> Callable[[], float]:
    rounds = itertools.count()

    def run() -> float:
        number = next(rounds)
        clients = [f"{prefix}-{number}-{n % CLIENTS}" for n in range(REQUESTS)]
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(check, [f"{client}-connect" for client in clients[:threads]]))
            before = time.perf_counter()
            for start in [pool.submit(_each, check, clients[n::threads]) for n in range(threads)]:
                start.result()
            return (time.perf_counter() - before) / REQUESTS * 1e6

    return run


def _each(check: Check, clients: list[str]) -> None:
    for client in clients:
        check(client)


def _ours(port: int) -> Check:
    limiter = RateLimiter(MemcachedCache((LOOPBACK, port), timeout=1.0))
    limit = RateLimit(LIMIT, 60)

    def check(client: str) -> None:
        limiter.check([Limited(f"{name}:{client}", limit) for name in NAMES])

    return check


def _sliding(port: int) -> Check:
    return _peer(SlidingWindowCounterRateLimiter(_storage(port)))


def _fixed(port: int) -> Check:
    return _peer(FixedWindowRateLimiter(_storage(port)))


def _storage(port: int) -> MemcachedStorage:
    return MemcachedStorage(f"memcached://{LOOPBACK}:{port}", no_delay=True, timeout=1.0)


def _peer(limiter: FixedWindowRateLimiter | SlidingWindowCounterRateLimiter) -> Check:
    limit = parse_limit(f"{LIMIT}/minute")

    def check(client: str) -> None:
        # One that refuses would keep what the ones before it have counted; none refuses here.
        if not all(limiter.hit(limit, name, client) for name in NAMES):
            raise AssertionError("refused below the limit")

    return check


def _round_trips(make: Callable[[int], Check], port: int) -> float:
    """Return the round trips of one request whose counters are there already."""
    with Relay(port) as relay:
        check = make(relay.port)
        check("counted")
        before = relay.round_trips
        for _ in range(COUNTED):
            check("counted")
        return (relay.round_trips - before) / COUNTED
