"""What the samples of a kill say about the rate before and after it."""

from __future__ import annotations

import pytest

from bench.recovery import LOOK_SECONDS, WINDOW_SECONDS, Run


def samples(*parts: tuple[float, float, int]) -> Run:
    """Return a run with samples of parts, each from one moment to another with a rate."""
    run, synced = Run(), 0.0
    for begin, end, rate in parts:
        for step in range(round((end - begin) / LOOK_SECONDS)):
            run.samples.append((begin + step * LOOK_SECONDS, round(synced)))
            synced += rate * LOOK_SECONDS
    return run


def test_rates_are_those_between_two_moments() -> None:
    run = samples((0.0, 10.0, 1_000), (10.0, 20.0, 500))
    assert run.rate(2.0, 8.0) == pytest.approx(1_000, rel=0.01)
    assert run.rate(12.0, 18.0) == pytest.approx(500, rel=0.01)


def test_recovery_is_the_end_of_the_first_window_behind_the_kill_with_the_rate() -> None:
    run = samples((0.0, 10.0, 1_000), (10.0, 16.0, 500), (16.0, 30.0, 1_000))
    run.killed = 10.0
    # From 17.6 to 18 s all but 0.4 s of the window has the whole rate.
    assert run.recovered(900) == pytest.approx(6.0 + WINDOW_SECONDS - 0.4, abs=LOOK_SECONDS)


def test_without_recovery_all_the_time_counts() -> None:
    run = samples((0.0, 10.0, 1_000), (10.0, 30.0, 500))
    run.killed = 10.0
    assert run.recovered(900) == pytest.approx(20.0, abs=LOOK_SECONDS)


def test_a_rate_at_once_is_seen_one_window_later() -> None:
    run = samples((0.0, 30.0, 1_000))
    run.killed = 10.0
    assert run.recovered(900) == pytest.approx(WINDOW_SECONDS, abs=LOOK_SECONDS)
