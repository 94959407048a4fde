from __future__ import annotations

import pytest

from shared.queue.rabbitmq.backoff import LONGEST_SECONDS, pause


@pytest.mark.parametrize(
    ("failures", "least", "most"),
    [(0, 0.1, 0.2), (1, 0.2, 0.4), (3, 0.8, 1.6), (5, 2.5, 5.0), (10_000, 2.5, 5.0)],
)
def test_the_pause_grows_and_is_spread(failures: int, least: float, most: float) -> None:
    assert pause(failures, 0.0) == pytest.approx(least)
    assert pause(failures, 1.0) == pytest.approx(most)


def test_the_pause_has_a_limit() -> None:
    assert max(pause(n, 1.0) for n in range(100)) == LONGEST_SECONDS
