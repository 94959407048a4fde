"""`make bench-scale`: files a second with one, two and four triggers, and what a file costs.

The triggers run in containers, each with the same share of a core, so that four of them together
use less than the machine has; PostgreSQL, RabbitMQ and the server of the objects have no limit.
Where the rate then does not grow with the triggers, something else is the limit.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from bench import command, containers, costs, ledgers, objects
from bench.costs import Reading
from bench.objects import ObjectServer
from bench.stack import READY_SECONDS, Stack
from bench.tools import SCALE, require_tools
from bench.worker import copy_all, set_aside

COUNTS = (1, 2, 4)
"""Triggers at once."""

WARM_UP = 50
"""Objects for each trigger before the clock runs."""


@dataclass(frozen=True, slots=True)
class Run:
    """One backlog copied by some triggers.

    Attributes:
        triggers: how many.
        files: copied.
        seconds: it took.
        used: meanwhile.
        recorded: bytes of PostgreSQL's log that recording them had taken.
        connections: to PostgreSQL, at the end.
    """

    triggers: int
    files: int
    seconds: float
    used: Reading
    recorded: float
    connections: int

    @property
    def rate(self) -> float:
        """Files a second."""
        return self.files / self.seconds


def main() -> None:
    """Measure, and print a table."""
    parser = command.parser("bench-scale")
    parser.add_argument("--image", default="external-storage-sync", help="of local/Dockerfile")
    parser.add_argument("--cpus", type=float, default=0.25, help="share of a core of each trigger")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--objects", type=int, default=2_000, help="for each trigger in a run")
    parser.add_argument("--kib", type=int, default=64, help="size of an object")
    given = parser.parse_args()
    with command.scratch(given.scratch) as folder:
        require_tools([], SCALE)
        runs = list(_measure(given, folder))
    command.print_lines(table(runs, given.cpus))


@dataclass(frozen=True, slots=True)
class Scene:
    """What is the same in every run.

    Attributes:
        image: of the triggers.
        cpus: the share of a core of each.
        stack: the servers.
        objects: the server of the objects.
        url: of the ledger.
        storage: the folder that the triggers write to.
    """

    image: str
    cpus: float
    stack: Stack
    objects: ObjectServer
    url: str
    storage: Path

    def run(self, warm_up: Sequence[str], keys: Sequence[str], count: int) -> Run:
        """Copy objects with so many triggers, which are started for it."""
        readings: list[Reading] = []
        variables = self.stack.variables(self.url, self.objects.variables(self.storage))
        with containers.triggers(self.image, count, variables, self.storage) as triggers:
            pids = triggers.pids
            _wait_consuming(self.stack, count)
            copy_all(self.stack, self.url, warm_up, self.storage, pids)
            set_aside(self.storage)
            triggers.limit(self.cpus)
            processes = {
                "triggers": pids,
                "PostgreSQL": [self.stack.postgres.pid or 0],
                "RabbitMQ": [self.stack.rabbitmq.pid or 0],
                "store": [self.objects.pid],
            }

            def read() -> None:
                readings.append(Reading.take(self.url, processes, self.storage))

            read()
            seconds = copy_all(
                self.stack, self.url, keys, self.storage, pids, begin=read, look_seconds=0.1
            )
            read()
            connections = costs.connections(self.url)
        set_aside(self.storage)
        first, before, after = readings
        recorded = before.since(first).wal_bytes
        return Run(count, len(keys), seconds, after.since(before), recorded, connections)


def _measure(given: argparse.Namespace, folder: Path) -> Iterator[Run]:
    most = given.objects * max(COUNTS)
    for key in objects.keys(most):
        objects.write(folder / "objects", key, given.kib << 10)
    storage = folder / "storage"
    storage.mkdir()
    console = Console(stderr=True, highlight=False)
    with Stack(folder) as stack, objects.nginx(folder, folder / "objects", objects.RUNS) as server:
        url = ledgers.make(stack.postgres.url, "scale", 10_000, lambda _: None)
        scene = Scene(given.image, given.cpus, stack, server, url, storage)
        runs = 0
        for number in range(given.runs):
            for count in COUNTS:
                runs += 2
                warm_up = objects.keys(WARM_UP * count, runs - 1)
                run = scene.run(warm_up, objects.keys(given.objects * count, runs), count)
                load = os.getloadavg()[0]
                console.print(
                    f"round {number + 1}, {count}: {run.rate:.0f} files/s, load {load:.1f}"
                )
                yield run


def _wait_consuming(stack: Stack, count: int) -> None:
    """Wait until so many triggers consume."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        done = stack.rabbitmq.control("list_queues", "--quiet", "name", "consumers").run()
        if f"sync\t{count}" in done.stdout.splitlines():
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"not {count} triggers consume: {done.stdout}")
        time.sleep(0.5)


def table(runs: Sequence[Run], cpus: float) -> Iterator[str]:
    """Yield the lines of a table in Markdown: medians of the runs, with the span of the rate."""
    counts = sorted({run.triggers for run in runs})
    by_count = {count: [run for run in runs if run.triggers == count] for count in counts}
    base = statistics.median(run.rate for run in by_count[counts[0]])
    yield f"| triggers, each with {cpus:g} of a core | {' | '.join(map(str, counts))} |"
    yield f"|---|{'---|' * len(counts)}"

    def row(name: str, values: Sequence[str]) -> str:
        return f"| {name} | {' | '.join(values)} |"

    def median(number: int, digits: int, of: Sequence[float]) -> str:
        return f"{statistics.median(of) * number:,.{digits}f}"

    rates = {count: [run.rate for run in by_count[count]] for count in counts}
    yield row(
        "files/s, median (slowest to fastest run)",
        [f"{median(1, 0, r)} ({min(r):,.0f} to {max(r):,.0f})" for r in rates.values()],
    )
    yield row("ratio to one", [f"{statistics.median(r) / base:.2f}" for r in rates.values()])
    yield row(
        "share of their processor time that triggers used",
        [
            f"{statistics.median(r.used.cpu['triggers'] / r.seconds / cpus / n for r in of):.0%}"
            for n, of in by_count.items()
        ],
    )
    for part in runs[0].used.cpu:
        yield row(
            f"{part}, µs of processor time a file",
            [
                median(1_000_000, 0, [r.used.cpu[part] / r.files for r in of])
                for of in by_count.values()
            ],
        )
    for name, field in (
        ("bytes of PostgreSQL's log a file", "wal_bytes"),
        ("commits for 1,000 files", "commits"),
        ("syncs of PostgreSQL's log for 1,000 files", "wal_syncs"),
        ("flushes of the disk for 1,000 files, anybody's", "flushes"),
    ):
        factor = 1 if field == "wal_bytes" else 1_000
        yield row(
            name,
            [
                median(factor, 0, [getattr(r.used, field) / r.files for r in of])
                for of in by_count.values()
            ],
        )
    yield row(
        "bytes of its log that recording a request took",
        [median(1, 0, [r.recorded / r.files for r in of]) for of in by_count.values()],
    )
    yield row(
        "connections to PostgreSQL",
        [median(1, 0, [r.connections for r in of]) for of in by_count.values()],
    )


if __name__ == "__main__":
    main()
