from __future__ import annotations

import logging
from typing import Any

import pytest

from shared import adapters
from shared.config.settings import Settings
from shared.errors import LedgerUnavailable
from shared.queue.direct import DirectQueue
from shared.queue.interface import NullQueue
from shared.queue.messages import SyncMessage
from shared.queue.rmq_event import read

MESSAGES = [SyncMessage(number, f"request-{number}") for number in (1, 2, 3)]


def test_the_worker_gets_the_event_of_a_broker_in_batches() -> None:
    events: list[dict[str, Any]] = []
    assert DirectQueue(events.append, 2).publish_all(MESSAGES) == {1, 2, 3}
    assert [list(read(event)) for event in events] == [MESSAGES[:2], MESSAGES[2:]]


def test_a_process_that_is_to_end_delivers_no_further_batch() -> None:
    events: list[dict[str, Any]] = []
    queue = DirectQueue(events.append, 2, going=lambda: not events)
    assert queue.publish_all(MESSAGES) == {1, 2}
    assert queue.publish_all(MESSAGES) == set()
    assert len(events) == 1


def test_what_the_worker_cannot_record_is_not_delivered() -> None:
    def fail(event: dict[str, Any]) -> None:
        raise LedgerUnavailable(str(len(event)))

    with pytest.raises(LedgerUnavailable):
        DirectQueue(fail, 2).publish_all(MESSAGES)


def test_nothing_waits_and_what_is_unreadable_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    queue = DirectQueue(lambda _: None, 2)
    assert queue.depth() == 0
    queue.dead_letter(b"?", "not JSON", {})
    assert len(caplog.records) == 1
    queue.close()


def test_it_is_the_queue_of_a_process_without_a_broker_alone() -> None:
    direct = DirectQueue(lambda _: None, 2)
    with adapters.without_broker(direct):
        assert adapters.queue(Settings()) is direct
        with_broker = adapters.queue(Settings(rabbitmq_url="amqp://127.0.0.1:1/"))
        assert with_broker is not direct
        with_broker.close()
    assert type(adapters.queue(Settings())) is NullQueue
