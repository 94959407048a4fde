from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pytest

from local.scheduler import DirectQueue, repeat
from local.shutdown import StopFlag
from shared.errors import LedgerUnavailable
from shared.queue import rmq_event
from shared.queue.messages import SyncMessage


def test_without_a_broker_the_worker_gets_the_same_event_in_batches() -> None:
    events: list[Mapping[str, Any]] = []
    queue = DirectQueue(lambda event, _: events.append(event), 2, object)
    messages = [SyncMessage(number, f"request-{number}") for number in (1, 2, 3)]
    assert queue.publish_all(messages) == {1, 2, 3}
    assert [list(rmq_event.read(event)) for event in events] == [messages[:2], messages[2:]]


class Ticks:
    """Plays a series of results, then sets the event that ends the schedule."""

    def __init__(self, *results: Exception | None) -> None:
        self._results = list(results)
        self.stop = StopFlag()

    @property
    def left(self) -> int:
        return len(self._results)

    def __call__(self) -> None:
        result = self._results.pop(0)
        if not self._results:
            self.stop.set()
        if result:
            raise result


def test_an_outage_is_said_once_when_it_begins_and_once_when_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    ticks = Ticks(None, LedgerUnavailable(), LedgerUnavailable(), None, None)
    repeat(ticks, 0, ticks.stop, "requeue")
    assert [record.getMessage() for record in caplog.records] == [
        "requeue waits",
        "requeue goes on",
    ]


def test_a_run_that_fails_does_not_end_the_schedule(caplog: pytest.LogCaptureFixture) -> None:
    ticks = Ticks(ValueError("a fault"), None)
    repeat(ticks, 0, ticks.stop, "requeue")
    assert [record.getMessage() for record in caplog.records] == ["requeue failed"]


def test_a_schedule_that_was_told_to_stop_does_not_begin() -> None:
    ticks = Ticks(ValueError("it began"))
    ticks.stop.set()
    repeat(ticks, 0, ticks.stop, "requeue")
    assert ticks.left == 1
