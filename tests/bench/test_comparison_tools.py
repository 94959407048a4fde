"""Programs that we are compared with run with the setting that suits them best."""

from __future__ import annotations

from bench.comparison_tools import fastest
from bench.figure import Figure, Target


def test_the_setting_with_the_fewest_seconds_is_taken() -> None:
    seconds = {16: 3.0, 32: 1.5, 64: 2.0}
    tried = []

    def take(setting: int) -> float:
        tried.append(setting)
        return seconds[setting]

    assert fastest([16, 32, 64], take) == 32
    assert tried == [16, 32, 64]


def test_a_ratio_is_that_of_neighboring_runs() -> None:
    figure = Figure("copy", [10, 100, 30], "files/s", Target(2, ratio=True), [5, 50, 10], "a tool")
    assert (figure.value, figure.reference, figure.ratio, figure.met) == (30, 10, 2, True)
