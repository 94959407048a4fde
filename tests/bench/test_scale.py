"""The table of `make bench-scale` says what was measured, for each number of triggers."""

from __future__ import annotations

from bench.costs import Reading
from bench.scale import Run, table


def run(triggers: int, seconds: float) -> Run:
    before = Reading({"triggers": 1.0, "PostgreSQL": 7.0}, 1_000.0, 5.0, 30.0, 2.0)
    used = Reading({"triggers": 1.5, "PostgreSQL": 7.1}, 301_000.0, 6.0, 40.0, 4.0).since(before)
    return Run(triggers, 1_000, seconds, used, 900_000.0, connections=2 * triggers)


def test_it_has_medians_the_span_and_the_ratio_to_one_trigger() -> None:
    runs = [run(1, 10.0), run(2, 5.0), run(1, 8.0), run(2, 4.0), run(1, 4.0), run(2, 1.0)]
    lines = list(table(runs, 0.25))
    assert lines[0] == "| triggers, each with 0.25 of a core | 1 | 2 |"
    cells = {line.split(" | ")[0].strip("| "): line.split(" | ")[1:] for line in lines[2:]}
    assert cells["files/s, median (slowest to fastest run)"] == [
        "125 (100 to 250)",
        "250 (200 to 1,000) |",
    ]
    assert cells["ratio to one"] == ["1.00", "2.00 |"]
    # 0.5 s of 8 s × 0.25 of a core, and of twice 4 s × 0.25.
    assert cells["share of their processor time that triggers used"] == ["25%", "25% |"]
    assert cells["triggers, µs of processor time a file"] == ["500", "500 |"]
    assert cells["bytes of PostgreSQL's log a file"] == ["300", "300 |"]
    assert cells["bytes of its log that recording a request took"] == ["900", "900 |"]
    assert cells["commits for 1,000 files"] == ["10", "10 |"]
    assert cells["connections to PostgreSQL"] == ["2", "4 |"]
