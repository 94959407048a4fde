from __future__ import annotations

from collections.abc import Sequence

import pytest

from shared.errors import QueueUnavailable
from shared.metrics import tally
from shared.metrics.catalog import MESSAGES_CONFIRMED, MESSAGES_LOST
from shared.queue.batches import publish_in_batches


class Broker:
    """Takes even numbers, and goes away before a batch."""

    def __init__(self, goes_before: int) -> None:
        self.batches: list[list[int]] = []
        self._goes_before = goes_before

    def __call__(self, batch: Sequence[int]) -> list[int]:
        if len(self.batches) == self._goes_before:
            raise QueueUnavailable("gone")
        self.batches.append(list(batch))
        return [number for number in batch if number % 2 == 0]


def test_messages_go_in_batches() -> None:
    broker = Broker(goes_before=99)
    assert publish_in_batches([1, 2, 3, 4, 5], 2, broker) == {2, 4}
    assert broker.batches == [[1, 2], [3, 4], [5]]
    assert publish_in_batches([], 2, broker) == set()


def test_what_a_broker_did_not_see_was_not_refused() -> None:
    tally.process.forget()
    assert publish_in_batches(range(1, 26), 10, Broker(goes_before=1)) == {2, 4, 6, 8, 10}
    counts = tally.process.take().counts
    assert counts[MESSAGES_LOST, ("refused_or_unroutable",)] == 5
    assert counts[MESSAGES_LOST, ("broker_unreachable",)] == 15
    assert counts[MESSAGES_CONFIRMED, ()] == 5


def test_a_broker_that_takes_nothing_is_an_error() -> None:
    with pytest.raises(QueueUnavailable):
        publish_in_batches([1, 2, 3], 2, Broker(goes_before=0))
