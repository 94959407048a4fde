"""How many rows are claimed ahead."""

from __future__ import annotations

import pytest

from functions.sync_worker.pace import Pace


@pytest.mark.parametrize(
    ("ended", "seconds", "rows"),
    [
        (0, 1.0, 64),  # large objects: none has ended
        (64, 1.0, 64),
        (100, 0.25, 100),  # what is copied in a quarter of a second
        (2_000, 1.0, 256),
        (5, 0.0, 64),  # no time has passed by this clock
    ],
)
def test_rows_follow_the_rate(ended: int, seconds: float, rows: int) -> None:
    pace = Pace(32)
    pace.adapt(ended, seconds)
    assert pace.rows == rows


def test_they_are_few_again_once_objects_are_slow() -> None:
    pace = Pace(32)
    pace.adapt(2_000, 1.0)
    pace.adapt(3, 1.0)
    assert pace.rows == 64


@pytest.mark.parametrize("concurrency", [1, 2, 3, 32, 1_000])
@pytest.mark.parametrize("rate", [0, 150, 100_000])
def test_the_next_are_claimed_while_the_source_is_busy(concurrency: int, rate: int) -> None:
    pace = Pace(concurrency)
    pace.adapt(rate, 1.0)
    assert concurrency <= pace.few < pace.rows
