"""Single numbers of the plan can be changed, and mistyped ones are named."""

from __future__ import annotations

from argparse import ArgumentTypeError

import pytest

from bench.plan import FULL, SMALL


def test_numbers_are_changed_by_name() -> None:
    changed = FULL.with_changes(["runs=1", "many_rows=20000"])
    assert (changed.runs, changed.many_rows, changed.objects) == (1, 20_000, FULL.objects)
    assert SMALL.with_changes([]) == SMALL


@pytest.mark.parametrize("change", ["rows=1", "runs", "runs=", "runs=0", "runs=-1", "runs=two"])
def test_what_is_no_number_of_the_plan_is_named(change: str) -> None:
    with pytest.raises(ArgumentTypeError, match=f"^{change}: .*many_rows"):
        SMALL.with_changes([change])
