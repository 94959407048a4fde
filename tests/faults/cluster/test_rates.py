from __future__ import annotations

import pytest

from tests.faults.cluster.rates import back_after

RATE = 20.0
EVEN = [number / RATE for number in range(int(60 * RATE))]
"""Every 50 ms for a minute."""


def without(begin: float, end: float, *, burst: bool = False) -> list[float]:
    """Return the moments with none between two, which come at once afterwards in a burst."""
    kept = [at for at in EVEN if not begin <= at < end]
    return kept + [end] * (len(EVEN) - len(kept)) if burst else kept


@pytest.mark.parametrize(
    ("moments", "seconds"),
    [
        (EVEN, 0.0),
        (without(20, 21), 0.0),
        (without(20, 26, burst=True), 6.0),
        (without(22, 26), 8.0),
        (without(5, 15), 0.0),
        (without(20, 60), 30.0),
    ],
)
def test_the_end_of_the_last_outage_counts(moments: list[float], seconds: float) -> None:
    assert back_after(moments, 20.0, 50.0, RATE) == pytest.approx(seconds, abs=0.5)
