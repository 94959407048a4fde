"""The HTTP shim alone: a function that does nothing, on one processor."""

from __future__ import annotations

import os
from collections.abc import Iterator

from bench import load
from bench.figure import Figure, Target
from bench.setting import Setting
from bench.stack import running
from local.servers.ports import free_port
from local.servers.programs import find


def measure(setting: Setting) -> Iterator[Figure]:
    """Measure `POST /sync/` with bodies; the generator has another processor."""
    plan, port = setting.plan, free_port()
    first, *_, last = [*sorted(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))]
    variables = setting.stack.variables("postgresql://nobody@localhost/none")
    requests = load.prepared(setting.folder, setting.stack.secret, plan.seconds)
    taskset = find("taskset", "util-linux")
    rates = []
    with running("noop", ("-m", "bench.noop", str(first)), variables, setting.folder, port):
        for _ in setting.runs("shim"):
            loaded = load.run(
                port, plan.seconds, plan.connections, requests, (taskset, "-c", str(last))
            )
            rates.append(loaded.checked().rate)
    yield Figure("shim with a no-op function, one processor", rates, "requests/s", Target(10_000))
