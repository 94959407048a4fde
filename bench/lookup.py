"""`GET /sync/<signature>/` with many rows, against the counts and PostgreSQL's bare select."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

from bench import load
from bench.comparison_tools import bare_selects
from bench.counts import WARM_UP_SECONDS
from bench.figure import Figure, Target
from bench.setting import Setting
from bench.stack import serving

REQUESTS = 50_000
"""Different ones, sent in turn: more rows than PostgreSQL's shared buffers hold pages."""


def measure(setting: Setting) -> Iterator[Figure]:
    """Look up random rows of the large ledger."""
    plan = setting.plan
    requests = _requests(setting.folder / "lookups", plan.many_rows)
    ours, by_counts, bare = [], [], []
    variables = setting.stack.variables(setting.many)
    with serving(variables, setting.folder, "lookup") as (_, port):
        load.run(port, WARM_UP_SECONDS, plan.connections, requests)
        for _ in setting.runs("GET /sync/<signature>/"):
            ours.append(load.run(port, plan.seconds, plan.connections, requests).checked().rate)
            by_counts.append(load.run(port, plan.seconds, plan.connections).checked().rate)
            bare.append(bare_selects(setting.many, plan.many_rows, plan.connections, plan.seconds))
    name = f"GET /sync/<signature>/ with {plan.many_rows:,} rows, {plan.connections} connections"
    unit, at_least = "requests/s", Target(5000)
    yield Figure(name, ours, unit, at_least, by_counts, "GET /sync/, the counts")
    against = f"pgbench: prepared SELECT by the same index, {plan.connections} clients"
    yield Figure(f"{name}, against PostgreSQL alone", ours, unit, None, bare, against)


def _requests(file: Path, rows: int) -> Path:
    """Write requests for random rows of those that `ledgers.FILL` adds, apart by NUL."""
    chance = random.Random(rows)
    with file.open("wb") as out:
        for _ in range(REQUESTS):
            number = chance.randint(1, rows)
            signature = hashlib.sha256(number.to_bytes(8, "big")).hexdigest()
            out.write(f"GET /sync/{signature}/ HTTP/1.1\r\nHost: localhost\r\n\r\n\0".encode())
    return file
