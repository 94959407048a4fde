"""One contract for every publisher: publishing never fails, and every message is accounted for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.queue.blocking import BlockingPublisher
from shared.queue.publisher import NullPublisher, Publisher
from shared.queue.rabbitmq.background import BackgroundPublisher
from shared.queue.rabbitmq.broker_queue import declare
from shared.queue.rabbitmq.sender import BrokerSender
from shared.queue.sqs.sender import SqsSender
from tests.helpers.fake_publisher import FakePublisher
from tests.helpers.servers import free_port
from tests.helpers.sqs import KEYS

KINDS: dict[str, Callable[[str], Publisher]] = {
    "background": BackgroundPublisher,
    "blocking": lambda url: BlockingPublisher(BrokerSender(url)),
    "sqs": lambda url: BlockingPublisher(SqsSender(url)),
    "null": lambda _: NullPublisher(),
    "fake": lambda _: FakePublisher(),
}
BROKERS = ["background", "blocking"]


@pytest.fixture(params=KINDS)
def publisher(request: pytest.FixtureRequest) -> Iterator[Publisher]:
    """Each publisher, if it needs one with a broker that has the queue."""
    url = ""
    if request.param in BROKERS:
        url = request.getfixturevalue("rabbitmq_url")
        declare(url, "quorum")
    if request.param == "sqs":
        url = request.getfixturevalue("sqs").url
    publisher = KINDS[request.param](url)
    yield publisher
    publisher.close(5)


@pytest.fixture(params=[*BROKERS, "sqs"])
def cut_off(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    """Each publisher that needs a broker, without one."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    scheme = "http" if request.param == "sqs" else "amqp"
    publisher = KINDS[request.param](f"{scheme}://guest:guest@127.0.0.1:{free_port()}/")
    yield publisher
    publisher.close(5)


def test_every_message_is_confirmed_or_lost_by_the_time_it_is_closed(publisher: Publisher) -> None:
    for row_id in range(1, 101):
        publisher.publish(row_id, f"request-{row_id}")
    publisher.close(10)
    counts = publisher.counts()
    assert counts.published in {100, 0}  # without a broker nothing is published
    assert (counts.confirmed, counts.lost) == (counts.published, {})


def test_what_is_published_after_closing_is_lost_without_an_error(publisher: Publisher) -> None:
    publisher.publish(1, "request-1")
    publisher.close(5)
    publisher.close(5)
    publisher.publish(2, "request-2")
    counts = publisher.counts()
    assert counts.published == counts.confirmed + sum(counts.lost.values())


def test_closing_without_a_message_is_quick(publisher: Publisher) -> None:
    started = time.monotonic()
    publisher.close(5)
    assert time.monotonic() - started < 1


def test_without_a_broker_no_error_is_raised_and_every_message_counts_as_lost(
    cut_off: Publisher,
) -> None:
    for row_id in range(1, 51):
        cut_off.publish(row_id, "request")
    cut_off.close(5)
    counts = cut_off.counts()
    assert (counts.published, counts.confirmed) == (50, 0)
    assert sum(counts.lost.values()) == 50


@pytest.mark.parametrize("kind", ["background", "null", "fake"])
def test_one_publisher_serves_several_threads(kind: str, request: pytest.FixtureRequest) -> None:
    url = ""
    if kind in BROKERS:
        url = request.getfixturevalue("rabbitmq_url")
        declare(url, "quorum")
    publisher = KINDS[kind](url)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda row_id: publisher.publish(row_id, "request"), range(1, 401)))
    publisher.close(10)
    counts = publisher.counts()
    assert counts.published == counts.confirmed
    assert counts.confirmed in {400, 0}
