"""How much is measured: small by default, everything with FULL=1."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes and repetitions.

    Attributes:
        runs: repetitions of each figure.
        seconds: of load in one run.
        connections: of the load generator.
        few_rows: of the small ledger.
        many_rows: of the large one.
        objects: copied in one run of throughput.
        object_bytes: of each of them.
        large_bytes: of the one large object that is timed.
        huge_bytes: of the one large object whose memory is looked at.
        together: large objects fetched at once, for memory.
        together_bytes: of each of them; also of the large files that a scrub reads.
        samples: requests timed one by one on the idle service.
        starts: fresh interpreters for each import.
        changed: failed objects that one action changes.
        lease_seconds: `LEASE_SECONDS` of the worker that is killed.
        steady_seconds: over which the rate is taken before and after it is killed.
        scrubbed: small files that a scrub reads.
        bucket_objects: that a bucket is compared by.
        bucket_runs: repetitions of that comparison.
        callbacks: delivered in one run.
        idle_seconds: over which an idle installation is watched.
        soak_seconds: of steady work before memory is looked at again.
        soak_rate: objects a second meanwhile.
    """

    runs: int = 5
    seconds: int = 5
    connections: int = 32
    few_rows: int = 10_000
    many_rows: int = 200_000
    objects: int = 3_000
    object_bytes: int = 64 << 10
    large_bytes: int = 512 << 20
    huge_bytes: int = 512 << 20
    together: int = 4
    together_bytes: int = 128 << 20
    samples: int = 100
    starts: int = 9
    changed: int = 50_000
    lease_seconds: int = 10
    steady_seconds: int = 10
    scrubbed: int = 5_000
    bucket_objects: int = 20_000
    bucket_runs: int = 3
    callbacks: int = 5_000
    idle_seconds: int = 20
    soak_seconds: int = 60
    soak_rate: int = 50

    def with_changes(self, changes: Sequence[str]) -> Self:
        """Return the plan with other numbers.

        Args:
            changes: each like "runs=1".

        Raises:
            ArgumentTypeError: one is not a number of the plan; the text names it.
        """
        names = {field.name for field in dataclasses.fields(self)}
        values = {}
        for change in changes:
            name, _, value = change.partition("=")
            if name not in names or not value.isdecimal() or not int(value):
                raise argparse.ArgumentTypeError(
                    f"{change}: not NAME=NUMBER with one of {', '.join(sorted(names))}"
                )
            values[name] = int(value)
        return dataclasses.replace(self, **values)


SMALL = Plan()
FULL = Plan(
    runs=5,
    seconds=8,
    many_rows=10_000_000,
    huge_bytes=5 << 30,
    together=16,
    together_bytes=512 << 20,
    samples=300,
    scrubbed=20_000,
    bucket_objects=1_000_000,
    callbacks=20_000,
    idle_seconds=120,
    soak_seconds=3_600,
)
