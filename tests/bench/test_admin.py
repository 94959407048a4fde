"""The table of `make bench-admin` has the median and the slowest of each page."""

from __future__ import annotations

from bench.admin import table


def test_each_page_has_its_line() -> None:
    lines = list(table({"list": [0.01, 0.05, 0.02], "failures": [0.3]}))
    assert lines[2:] == ["| list | 20 | 50 |", "| failures | 300 | 300 |"]
