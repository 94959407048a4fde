"""What both announcers promise, and what each promises by itself."""

from __future__ import annotations

import logging
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from shared.announcer import Announcer, SilentAnnouncer
from shared.chosen import announcer
from shared.rabbitmq.background import BackgroundAnnouncer
from shared.rabbitmq.blocking import BlockingAnnouncer
from shared.rabbitmq.broker_queue import BrokerQueue, declare
from shared.settings import Settings
from tests.gate import Gate
from tests.servers import free_port
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Make = Callable[[str], Announcer]


@pytest.fixture
def url(rabbitmq_url: str) -> str:
    declare(rabbitmq_url, "quorum")
    return rabbitmq_url


@pytest.fixture(params=[BackgroundAnnouncer, BlockingAnnouncer])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    made: list[Announcer] = []

    def make_one(url: str) -> Announcer:
        made.append(request.param(url))
        return made[-1]

    yield make_one
    for each in made:
        each.close(5)


def depth(url: str) -> int:
    with closing(BrokerQueue(url)) as queue:
        return queue.depth()


def test_every_announcement_is_one_confirmed_message(make: Make, url: str) -> None:
    announcer = make(url)
    for row_id in range(1, 201):
        announcer.announce(row_id, f"request-{row_id}")
    announcer.close(10)

    counts = announcer.counts()
    assert (counts.announced, counts.confirmed, counts.lost) == (200, 200, {})
    assert depth(url) == 200


def test_an_unroutable_message_is_lost_not_confirmed(make: Make, rabbitmq_url: str) -> None:
    announcer = make(rabbitmq_url)
    announcer.announce(1, "r")
    announcer.close(10)

    counts = announcer.counts()
    assert (counts.announced, counts.confirmed) == (1, 0)
    assert sum(counts.lost.values()) == 1


def test_without_a_broker_nothing_is_raised_and_nobody_waits_long(make: Make) -> None:
    announcer = make(f"amqp://guest:guest@127.0.0.1:{free_port()}/")
    started = time.monotonic()
    for row_id in range(1, 51):
        announcer.announce(row_id, "r")
    announcer.close(5)

    assert time.monotonic() - started < 3
    counts = announcer.counts()
    assert (counts.announced, counts.confirmed) == (50, 0)
    assert sum(counts.lost.values()) == 50


def test_a_broker_that_says_nothing_is_as_good_as_none(make: Make, silent_url: str) -> None:
    announcer = make(silent_url)
    started = time.monotonic()
    announcer.announce(1, "r")
    announcer.close(1)

    assert time.monotonic() - started < 4
    assert (announcer.counts().announced, announcer.counts().confirmed) == (1, 0)
    assert sum(announcer.counts().lost.values()) == 1


def test_what_is_announced_after_closing_is_never_an_error(make: Make, url: str) -> None:
    announcer = make(url)
    announcer.announce(1, "r")
    announcer.close(5)
    announcer.close(5)

    announcer.announce(2, "r")


def test_closing_without_an_announcement_is_quick(make: Make) -> None:
    announcer = make("amqp://guest:guest@127.0.0.1:1/")
    started = time.monotonic()

    announcer.close(5)

    assert time.monotonic() - started < 1


def test_the_background_announcer_holds_nobody_up(url: str) -> None:
    with Gate(url) as gate:
        announcer = BackgroundAnnouncer(gate.url)
        announcer.announce(1, "r")
        until(lambda: announcer.counts().confirmed == 1)
        gate.cut()
        started = time.monotonic()
        for row_id in range(2, 1_002):
            announcer.announce(row_id, "r")
        assert time.monotonic() - started < 0.5
        announcer.close(1)
    counts = announcer.counts()
    assert counts.announced == counts.confirmed + sum(counts.lost.values()) == 1_001


def test_the_background_announcer_comes_back_and_says_so_once(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with Gate(url) as gate, closing(BrokerQueue(url)) as queue:
        announcer = BackgroundAnnouncer(gate.url)
        announcer.announce(1, "r")
        until(lambda: announcer.counts().confirmed == 1)
        gate.cut()
        row_ids = iter(range(2, 10_000))

        def lost_three() -> bool:
            announcer.announce(next(row_ids), "r")
            return sum(announcer.counts().lost.values()) >= 3

        until(lost_three)
        gate.open()

        def confirmed_more() -> bool:
            announcer.announce(next(row_ids), "r")
            return announcer.counts().confirmed >= 3

        until(confirmed_more)
        announcer.close(10)
        assert queue.depth() == announcer.counts().confirmed
    said = [r.getMessage() for r in caplog.records if "RabbitMQ" in r.getMessage()]
    assert said == ["RabbitMQ is away: rows are left to requeue", "RabbitMQ is back"]
    assert not [r for r in caplog.records if r.exc_info]


def test_the_backlog_of_the_background_announcer_is_bounded(url: str) -> None:
    with Gate(url) as gate:
        gate.cut()
        announcer = BackgroundAnnouncer(gate.url, backlog=10)
        # It tries to connect at the first; until that has failed, ten may wait.
        for row_id in range(1, 101):
            announcer.announce(row_id, "r")
        announcer.close(5)
    counts = announcer.counts()
    assert counts.announced == 100
    assert counts.confirmed == 0
    assert sum(counts.lost.values()) == 100


def test_the_blocking_announcer_survives_a_connection_that_died(url: str) -> None:
    with Gate(url) as gate:
        announcer = BlockingAnnouncer(gate.url)
        announcer.announce(1, "r")
        gate.cut()  # as a broker does with a sandbox that was frozen for long
        gate.open()
        announcer.announce(2, "r")
        announcer.close(1)

    assert announcer.counts().confirmed == 2


def test_the_blocking_announcer_rests_after_a_failure(url: str) -> None:
    now = 0.0
    with Gate(url) as gate:
        gate.cut()
        announcer = BlockingAnnouncer(gate.url, clock=lambda: now)
        announcer.announce(1, "r")
        gate.open()
        announcer.announce(2, "r")
        assert announcer.counts().confirmed == 0
        now = 6.0
        announcer.announce(3, "r")
        announcer.close(1)
        assert announcer.counts().confirmed == 1


def test_without_a_broker_set_up_nothing_is_announced() -> None:
    assert isinstance(announcer(Settings()), SilentAnnouncer)


@pytest.mark.parametrize(
    ("on_lambda", "kind"), [(True, BlockingAnnouncer), (False, BackgroundAnnouncer)]
)
def test_the_announcer_fits_where_it_runs(on_lambda: bool, kind: type) -> None:  # noqa: FBT001
    settings = Settings(rabbitmq_url="amqp://127.0.0.1:1/", on_lambda=on_lambda)

    assert isinstance(announcer(settings), kind)
