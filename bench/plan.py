"""How much is measured: small by default, everything with FULL=1."""

from __future__ import annotations

from dataclasses import dataclass


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
        together_bytes: of each of them.
        samples: requests timed one by one on the idle service.
        starts: fresh interpreters for each import.
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


SMALL = Plan()
FULL = Plan(
    runs=5,
    seconds=8,
    many_rows=10_000_000,
    huge_bytes=5 << 30,
    together=16,
    together_bytes=512 << 20,
    samples=300,
)
