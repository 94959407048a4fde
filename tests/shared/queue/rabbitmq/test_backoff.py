from __future__ import annotations

import pytest

from shared.queue.rabbitmq.backoff import LONGEST_SECONDS, backoff_seconds


@pytest.mark.parametrize(
    ("failures", "least", "most"),
    [(0, 0.1, 0.2), (1, 0.2, 0.4), (3, 0.8, 1.6), (5, 2.5, 5.0), (10_000, 2.5, 5.0)],
)
def test_the_back_off_grows_and_has_jitter(failures: int, least: float, most: float) -> None:
    assert backoff_seconds(failures, 0.0) == pytest.approx(least)
    assert backoff_seconds(failures, 1.0) == pytest.approx(most)


def test_the_back_off_has_a_limit() -> None:
    assert max(backoff_seconds(n, 1.0) for n in range(100)) == LONGEST_SECONDS
