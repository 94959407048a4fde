"""`GET /sync/` with few rows and with many."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from bench import load
from bench.figure import Figure, Target
from bench.setting import Setting
from bench.stack import serving

WARM_UP_SECONDS = 1


def measure(setting: Setting) -> Iterator[Figure]:
    """Measure both ledgers side by side."""
    plan = setting.plan
    rates: dict[str, list[float]] = {setting.few: [], setting.many: []}
    times: dict[str, list[float]] = {setting.few: [], setting.many: []}
    with ExitStack() as started:
        ports = {
            url: started.enter_context(serving(setting.stack.variables(url), setting.folder, name))[
                1
            ]
            for name, url in (("few", setting.few), ("many", setting.many))
        }
        for port in ports.values():
            load.run(port, WARM_UP_SECONDS, plan.connections)
        for _ in setting.runs("GET /sync/"):
            for url, port in ports.items():
                loaded = load.run(port, plan.seconds, plan.connections).checked()
                rates[url].append(loaded.rate)
                times[url].append(load.run(port, 1, 1).median_ms)
    yield Figure(
        f"GET /sync/ with {plan.many_rows:,} rows, {plan.connections} connections",
        rates[setting.many],
        "requests/s",
        Target(5000),
    )
    yield Figure(
        f"GET /sync/ with {plan.many_rows:,} rows, one connection",
        times[setting.many],
        "ms",
        Target(1.2, at_least=False, ratio=True),
        times[setting.few],
        f"the same with {plan.few_rows:,} rows",
    )
