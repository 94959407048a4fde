"""From POST to the file in place, on an idle service."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

from bench import load, objects
from bench.figure import Figure, Target
from bench.setting import Setting
from bench.stack import serving, triggering

LIMIT_SECONDS = 30.0
_LOOK_SECONDS = 0.0005
WARM_UP = 5


def measure(setting: Setting) -> Iterator[Figure]:
    """Send one request after the other, each well after the file of the one before is in place."""
    plan, stack = setting.plan, setting.stack
    folder, storage = setting.folder / "latency", setting.folder / "storage"
    storage.mkdir(exist_ok=True)
    names = objects.keys(plan.samples + WARM_UP)
    for name in names:
        objects.write(folder, name, plan.object_bytes)
    taken = []
    done = setting.step("POST to file", len(names))
    with objects.nginx(setting.folder, folder) as server:
        variables = stack.variables(setting.few, server.variables(storage))
        with (
            triggering(variables, setting.folder),
            serving(variables, setting.folder, "functions") as (_, port),
        ):
            connection = HTTPConnection("127.0.0.1", port, timeout=LIMIT_SECONDS)
            for name in names:
                # Not in step with anything that happens at fixed times.
                time.sleep(random.uniform(0.05, 0.15))
                taken.append(_send(connection, stack.secret, name, storage / name) * 1000)
                done(1)
            connection.close()
    taken = taken[WARM_UP:]
    size = f"{plan.object_bytes >> 10} KiB"
    note = f"{len(taken)} requests, one by one"
    yield Figure(
        f"POST to file in place, {size}, idle: median",
        [statistics.median(taken)],
        "ms",
        Target(25, at_least=False),
        note=note,
    )
    yield Figure(
        f"POST to file in place, {size}, idle: p99",
        [statistics.quantiles(taken, n=100, method="inclusive")[98]],
        "ms",
        Target(100, at_least=False),
        note=note,
    )


def _send(connection: HTTPConnection, key: str, name: str, file: Path) -> float:
    """Send a request and wait for its file, and return the seconds from the request on."""
    before = time.perf_counter()
    load.post(connection, key, name)
    while not file.exists():
        if time.perf_counter() - before > LIMIT_SECONDS:
            raise AssertionError(f"{name} did not come")
        time.sleep(_LOOK_SECONDS)
    return time.perf_counter() - before
