"""Half a minute of the soak, so that `make soak` works on the day it is wanted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.harness.arena import Arena
from tests.faults.soak import plot, report
from tests.faults.soak.run import Plan, soak


@pytest.mark.faults
def test_nothing_is_lost_while_everything_fails_at_once(arena: Arena, tmp_path: Path) -> None:
    plan = Plan(objects=1_500, minutes=0.4, seed=arena.seed, tempo=0.2)
    try:
        outcome = soak(arena.stack, plan)
        assert outcome.complaints == [], arena.stack.logs()
    finally:
        arena.stack.restore()
    # Fewer than planned where the machine is too busy for them in four times the plan's minutes.
    assert plan.objects >= outcome.verified == outcome.recorded >= 100
    assert outcome.lost == outcome.failed == outcome.twice == 0
    assert sum(outcome.faults.values()) >= 5
    assert len(outcome.courses) == 3
    assert plot.svg(outcome.samples.taken, "a short one").count("<polyline ") >= 2 * 9 + 3
    document = tmp_path / "guarantees.md"
    document.write_text(f"before {report.BEGIN} old {report.END} after")
    report.write(report.summary(outcome), document)
    assert document.read_text().startswith("before ")
    assert document.read_text().endswith(" after")
    assert "| lost or wrong | 0 |" in document.read_text()
