"""A POST's two counters in PostgreSQL and in memcached, and what recording its row takes.

Each thread stands for an execution environment of Lambda: it has connections of its own, and one
request at a time. All requests come from one address, so that all of them add to one row.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from bench.figure import Figure
from bench.libraries.ours import (
    COUNTERS,
    Database,
    Ledger,
    Limited,
    MemcachedCache,
    NewObject,
    PostgresCache,
    RateLimit,
    RateLimiter,
)
from bench.libraries.round_trips import LOOPBACK
from bench.libraries.timing import in_turn
from bench.setting import Setting

REQUESTS = 1_000
"""In one run."""

ENVIRONMENTS = 16
LIMIT = RateLimit(1_000_000, 60)

Answer = Callable[[str], object]


def measure(setting: Setting) -> Iterator[Figure]:
    """Compare ms for each request, in one environment and in several."""
    port = int(setting.stack.memcached.address.rpartition(":")[2])
    url = setting.few
    makers: dict[str, Callable[[], Answer]] = {
        "PostgreSQL": lambda: _count(RateLimiter(PostgresCache(Database(url, COUNTERS)))),
        "memcached": lambda: _count(RateLimiter(MemcachedCache((LOOPBACK, port), timeout=5.0))),
        "recording the row": lambda: _record(Ledger.at(url)),
    }
    for environments in (1, ENVIRONMENTS):
        contenders = {
            name: _run([make() for _ in range(environments)], f"{name} {environments}")
            for name, make in makers.items()
        }
        millis = in_turn(setting, f"counters, {environments} at once", contenders)
        counted = millis.pop("PostgreSQL")
        what = f"two counters in PostgreSQL, {environments} at once"
        for name, references in millis.items():
            yield Figure(what, counted, "ms/request", None, references, name)


def _run(environments: list[Answer], prefix: str) -> Callable[[], float]:
    rounds = itertools.count()

    def run() -> float:
        number = next(rounds)
        requests = [f"{prefix} {number} {n}" for n in range(REQUESTS)]
        with ThreadPoolExecutor(len(environments)) as pool:
            for place, answer in enumerate(environments):
                answer(f"{prefix} {number} connect {place}")
            before = time.perf_counter()
            started = [
                pool.submit(_each, answer, requests[place :: len(environments)])
                for place, answer in enumerate(environments)
            ]
            for start in started:
                start.result()
            return (time.perf_counter() - before) / REQUESTS * 1e3

    return run


def _each(answer: Answer, requests: list[str]) -> None:
    for request in requests:
        answer(request)


def _count(limiter: RateLimiter) -> Answer:
    def answer(request: str) -> None:
        signature = hashlib.sha256(request.encode()).hexdigest()
        limiter.check(
            [
                Limited(f"post:192.0.2.1:{signature}", LIMIT),
                Limited("client:192.0.2.1", LIMIT),
            ]
        )

    return answer


def _record(ledger: Ledger) -> Answer:
    def answer(request: str) -> None:
        signature = hashlib.sha256(request.encode()).digest()
        ledger.record(NewObject("oeid", "ref", request, "image/jpeg", signature, "request"), 30)

    return answer
