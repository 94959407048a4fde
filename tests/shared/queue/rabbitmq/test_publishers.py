"""What both publishers of RabbitMQ promise, and what each promises by itself.

What every publisher promises is in `tests.shared.queue.test_publisher_contract`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from shared.adapters import publisher
from shared.config.settings import Settings
from shared.queue.blocking import BlockingPublisher
from shared.queue.publisher import NullPublisher, Publisher
from shared.queue.rabbitmq.background import BackgroundPublisher
from shared.queue.rabbitmq.broker_queue import BrokerQueue, declare
from shared.queue.rabbitmq.sender import BrokerSender
from tests.helpers.servers import free_port
from tests.helpers.tcp_proxy import Condition, TcpProxy
from tests.helpers.waiting import until

Make = Callable[[str], Publisher]


def blocking(url: str) -> Publisher:
    return BlockingPublisher(BrokerSender(url))


@pytest.fixture
def url(rabbitmq_url: str) -> str:
    declare(rabbitmq_url, "quorum")
    return rabbitmq_url


@pytest.fixture(params=[BackgroundPublisher, blocking])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    made: list[Publisher] = []

    def make_one(url: str) -> Publisher:
        made.append(request.param(url))
        return made[-1]

    yield make_one
    for each in made:
        each.close(5)


def depth(url: str) -> int:
    with closing(BrokerQueue(url)) as queue:
        return queue.depth()


def test_every_row_is_one_confirmed_message(make: Make, url: str) -> None:
    publisher = make(url)
    for row_id in range(1, 201):
        publisher.publish(row_id, f"request-{row_id}")
    publisher.close(10)

    counts = publisher.counts()
    assert (counts.published, counts.confirmed, counts.lost) == (200, 200, {})
    assert depth(url) == 200


def test_the_counts_are_logged_when_a_publisher_closes(
    make: Make, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    publisher = make(url)
    publisher.publish(1, "r")
    publisher.close(10)
    (line,) = [r.__dict__ for r in caplog.records if r.getMessage() == "publisher closed"]
    assert (line["published"], line["confirmed"], line["lost"]) == (1, 1, {})


def test_an_unroutable_message_is_lost_not_confirmed(make: Make, rabbitmq_url: str) -> None:
    publisher = make(rabbitmq_url)
    publisher.publish(1, "r")
    publisher.close(10)

    counts = publisher.counts()
    assert (counts.published, counts.confirmed) == (1, 0)
    assert sum(counts.lost.values()) == 1


def test_without_a_broker_nothing_is_raised_and_no_caller_waits_long(make: Make) -> None:
    publisher = make(f"amqp://guest:guest@127.0.0.1:{free_port()}/")
    started = time.monotonic()
    for row_id in range(1, 51):
        publisher.publish(row_id, "r")
    publisher.close(5)

    assert time.monotonic() - started < 3
    counts = publisher.counts()
    assert (counts.published, counts.confirmed) == (50, 0)
    assert sum(counts.lost.values()) == 50


def test_a_silent_broker_is_as_good_as_none(make: Make, silent_url: str) -> None:
    publisher = make(silent_url)
    started = time.monotonic()
    publisher.publish(1, "r")
    publisher.close(1)

    assert time.monotonic() - started < 4
    assert (publisher.counts().published, publisher.counts().confirmed) == (1, 0)
    assert sum(publisher.counts().lost.values()) == 1


def test_the_background_publisher_delays_no_caller(url: str) -> None:
    with TcpProxy(url) as proxy:
        publisher = BackgroundPublisher(proxy.url)
        publisher.publish(1, "r")
        until(lambda: publisher.counts().confirmed == 1)
        proxy.refuse()
        started = time.monotonic()
        for row_id in range(2, 1_002):
            publisher.publish(row_id, "r")
        assert time.monotonic() - started < 0.5
        publisher.close(1)
    counts = publisher.counts()
    assert counts.published == counts.confirmed + sum(counts.lost.values()) == 1_001


def test_the_background_publisher_comes_back_and_logs_it_once(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with TcpProxy(url) as proxy, closing(BrokerQueue(url)) as queue:
        publisher = BackgroundPublisher(proxy.url, hold=0.2)
        publisher.publish(1, "r")
        until(lambda: publisher.counts().confirmed == 1)
        proxy.refuse()
        row_ids = iter(range(2, 10_000))

        def lost_three() -> bool:
            publisher.publish(next(row_ids), "r")
            return sum(publisher.counts().lost.values()) >= 3

        until(lost_three)
        proxy.accept()

        def confirmed_more() -> bool:
            publisher.publish(next(row_ids), "r")
            return publisher.counts().confirmed >= 3

        until(confirmed_more)
        publisher.close(10)
        assert queue.depth() == publisher.counts().confirmed
    logged = [r.getMessage() for r in caplog.records if "RabbitMQ" in r.getMessage()]
    assert logged == ["RabbitMQ is unreachable", "RabbitMQ is reachable again"]
    assert not [r for r in caplog.records if r.exc_info]


def test_what_is_published_while_the_broker_restarts_waits_for_it(url: str) -> None:
    with TcpProxy(url) as proxy, closing(BrokerQueue(url)) as queue:
        publisher = BackgroundPublisher(proxy.url)
        publisher.publish(1, "r")
        until(lambda: publisher.counts().confirmed == 1)
        proxy.refuse()
        for row_id in range(2, 102):
            publisher.publish(row_id, "r")
        proxy.accept()
        until(lambda: publisher.counts().confirmed == 101)
        publisher.close(10)
        assert publisher.counts().lost == {}
        assert queue.depth() == 101


def test_what_was_not_confirmed_is_sent_again_by_another_connection(url: str) -> None:
    with TcpProxy(url) as proxy, closing(BrokerQueue(url)) as queue:
        publisher = BackgroundPublisher(proxy.url)
        publisher.publish(1, "r")
        until(lambda: publisher.counts().confirmed == 1)
        proxy.set_condition(Condition.SILENT)
        publisher.publish(2, "r")
        until(lambda: publisher.counts().published == 2)
        proxy.set_condition(Condition.RESET)
        proxy.set_condition(Condition.NORMAL)
        until(lambda: publisher.counts().confirmed == 2)
        publisher.close(10)
        assert publisher.counts().lost == {}
        assert queue.depth() == 2


def test_the_backlog_of_the_background_publisher_is_bounded(url: str) -> None:
    with TcpProxy(url) as proxy:
        proxy.refuse()
        publisher = BackgroundPublisher(proxy.url, backlog=10)
        # It tries to connect at the first; until that has failed, ten may wait.
        for row_id in range(1, 101):
            publisher.publish(row_id, "r")
        publisher.close(5)
    counts = publisher.counts()
    assert counts.published == 100
    assert counts.confirmed == 0
    assert sum(counts.lost.values()) == 100


class FailingClock:
    """A clock that raises some times, in the publisher's thread."""

    def __init__(self, *errors: BaseException) -> None:
        self._errors = list(errors)

    def __call__(self) -> float:
        if self._errors:
            raise self._errors.pop()
        return time.time()


@pytest.mark.parametrize("error", [ZeroDivisionError("oops"), SystemExit(1)])
def test_the_background_publisher_goes_on_after_an_unexpected_error(
    url: str, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FailingClock(error, error)
    with closing(BrokerQueue(url)) as queue:
        publisher = BackgroundPublisher(url, wall_clock=clock)
        publisher.publish(1, "r")  # the errors come when it is sent
        until(lambda: publisher.counts().confirmed == 1)
        publisher.publish(2, "r")
        until(lambda: publisher.counts().confirmed == 2)
        publisher.close(10)
        assert queue.depth() == 2
    assert publisher.counts().lost == {}
    failed = [r for r in caplog.records if r.levelno == logging.CRITICAL]
    assert [r.__dict__["thread_name"] for r in failed] == ["publisher"] * 2
    assert all(r.exc_info for r in failed)


def test_a_background_publisher_that_always_fails_loses_and_ends(url: str) -> None:
    clock = FailingClock(*[ZeroDivisionError("oops")] * 1_000)
    publisher = BackgroundPublisher(url, backlog=5, wall_clock=clock)
    for row_id in range(10):
        publisher.publish(row_id, "r")
    started = time.monotonic()
    publisher.close(1.0)
    assert time.monotonic() - started < 5
    counts = publisher.counts()
    assert counts.published == 10 == sum(counts.lost.values())


def test_the_blocking_publisher_survives_a_connection_that_died(url: str) -> None:
    with TcpProxy(url) as proxy:
        publisher = blocking(proxy.url)
        publisher.publish(1, "r")
        proxy.refuse()  # as a broker does if Lambda was frozen for long
        proxy.accept()
        publisher.publish(2, "r")
        publisher.close(1)

    assert publisher.counts().confirmed == 2


def test_the_blocking_publisher_backs_off_after_a_failure(url: str) -> None:
    now = 0.0
    with TcpProxy(url) as proxy:
        proxy.refuse()
        publisher = BlockingPublisher(BrokerSender(proxy.url), clock=lambda: now)
        publisher.publish(1, "r")
        proxy.accept()
        publisher.publish(2, "r")
        assert publisher.counts().confirmed == 0
        now = 6.0
        publisher.publish(3, "r")
        publisher.close(1)
        assert publisher.counts().confirmed == 1


def test_without_a_broker_set_up_nothing_is_published() -> None:
    assert isinstance(publisher(Settings()), NullPublisher)


@pytest.mark.parametrize(
    ("on_lambda", "kind"), [(True, BlockingPublisher), (False, BackgroundPublisher)]
)
def test_the_publisher_fits_where_it_runs(on_lambda: bool, kind: type) -> None:
    settings = Settings(rabbitmq_url="amqp://127.0.0.1:1/", on_lambda=on_lambda)

    assert isinstance(publisher(settings), kind)
