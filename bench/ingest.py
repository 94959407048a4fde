"""`POST /sync/` under load: every 201 committed, and confirmed by the broker soon after."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from bench import ledgers, load
from bench.comparison_tools import bare_inserts
from bench.figure import Figure, Target
from bench.load import Load
from bench.processes import busy_seconds, cpu_seconds
from bench.setting import Setting
from bench.stack import serving

WARM_UP_SECONDS = 2
CONFIRM_SECONDS = 5.0
"""Limit from the last answer until every message is in the queue."""


@dataclass(frozen=True, slots=True)
class _Service:
    """One HTTP server and the ledger behind it."""

    pid: int
    port: int
    url: str


def measure(setting: Setting) -> Iterator[Figure]:
    """Measure with few rows and with many, side by side, and PostgreSQL's bare insert."""
    plan, stack = setting.plan, setting.stack
    few_rates, many_rates, bare, p99 = [], [], [], []
    note = ""
    with ExitStack() as started:
        services = [
            _Service(
                *started.enter_context(serving(stack.variables(url), setting.folder, name)), url
            )
            for name, url in (("few", setting.few), ("many", setting.many))
        ]
        for service in services:
            _load(setting, service, WARM_UP_SECONDS)
        for number in setting.runs("ingest"):
            order = services if number % 2 else services[::-1]
            loads = {service.url: _watched(setting, service) for service in order}
            loaded, note = loads[setting.few]
            few_rates.append(loaded.rate)
            p99.append(loaded.p99_ms)
            many_rates.append(loads[setting.many][0].rate)
            bare.append(bare_inserts(setting.few, plan.connections, plan.seconds))
            stack.empty_queue()
    name = f"ingest, {plan.connections} connections"
    yield Figure(name, few_rates, "POST/s", note=note)
    yield Figure(
        f"{name}, against PostgreSQL alone",
        few_rates,
        "POST/s",
        Target(0.4, ratio=True),
        bare,
        f"pgbench: autocommitted INSERT into an equal table without triggers, "
        f"{plan.connections} clients",
    )
    yield Figure(f"{name}: p99", p99, "ms", Target(50, at_least=False))
    yield Figure(
        f"ingest with {plan.many_rows:,} rows",
        many_rates,
        "POST/s",
        Target(0.9, ratio=True, every=True),
        few_rates,
        f"the same with {plan.few_rows:,} rows",
    )


def _load(setting: Setting, service: _Service, seconds: int) -> Load:
    """Send load and make sure that every 201 is a row and, soon after, a message."""
    stack = setting.stack
    requests = load.prepared(setting.folder, stack.secret, seconds)
    rows, depth = ledgers.counts(service.url)[1], stack.queue.depth()
    loaded = load.run(service.port, seconds, setting.plan.connections, requests).checked()
    rows = ledgers.counts(service.url)[1] - rows
    # wrk leaves at its last second without the answers to what is on the way.
    if not loaded.requests <= rows <= loaded.requests + setting.plan.connections:
        raise AssertionError(f"{loaded.requests} answers 201, {rows} rows")
    deadline = time.monotonic() + CONFIRM_SECONDS
    while stack.queue.depth() - depth < rows:
        if time.monotonic() > deadline:
            raise AssertionError(f"{rows} rows, {stack.queue.depth() - depth} messages")
        time.sleep(0.05)
    return loaded


def _watched(setting: Setting, service: _Service) -> tuple[Load, str]:
    """Send load, and return what it costs each process."""
    stack = setting.stack
    processes = {"functions": service.pid, **stack.pids}
    before = {name: cpu_seconds(pid) for name, pid in processes.items()}
    busy = busy_seconds()
    loaded = _load(setting, service, setting.plan.seconds)
    costs = {name: cpu_seconds(pid) - before[name] for name, pid in processes.items()}
    costs["generator"] = loaded.generator_seconds
    each = ", ".join(f"{n} {s / loaded.requests * 1e6:.0f}" for n, s in costs.items())
    others = (busy_seconds() - busy - sum(costs.values())) / loaded.seconds
    return loaded, (
        f"processor time of one request in µs: {each}; median {loaded.median_ms:.1f} ms; "
        f"everything else on the machine took {others:.2f} processors"
    )
