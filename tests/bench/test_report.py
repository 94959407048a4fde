"""The page says which machine was measured, and how busy it was."""

from __future__ import annotations

from bench import report
from bench.figure import Figure, Target
from bench.plan import SMALL


def test_the_load_before_is_part_of_the_page() -> None:
    figure = Figure("copy", [2.0], "s", Target(3, at_least=False), note="once")
    text = report.markdown([figure], SMALL, full=True, load=0.26)
    assert "`make bench FULL=1`" in text
    assert "load average of 0.3" in text
    assert "| copy | 2.0 s |  |  | at most 3 | yes |" in text
    assert text.endswith("- copy: once.\n")
