from __future__ import annotations

import math
import threading

from local.context import Context
from shared.deadline import RESERVE_SECONDS, ends_with, within


def test_a_wait_takes_what_it_may_but_no_more_than_is_left() -> None:
    with ends_with(Context(RESERVE_SECONDS + 2)):
        assert within(1) == 1
        assert 1 < within(3) <= 2


def test_nothing_is_left_once_only_the_answer_s_time_is() -> None:
    with ends_with(Context(RESERVE_SECONDS)):
        assert within(3) == 0


def test_without_an_invocation_there_is_no_limit() -> None:
    assert within(math.inf) == math.inf
    with ends_with(object()):
        assert within(3) == 3


def test_the_limit_ends_with_the_invocation_and_is_its_thread_s_alone() -> None:
    seen: list[float] = []
    with ends_with(Context(0)):
        other = threading.Thread(target=lambda: seen.append(within(3)))
        other.start()
        other.join()
    assert [*seen, within(3)] == [3, 3]
