from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pika
import pytest

from shared.errors import QueueUnavailable, SettingError
from shared.queue.messages import SyncMessage
from shared.queue.rabbitmq.broker_queue import BrokerQueue, declare
from shared.queue.rmq_event import Unreadable
from tests.helpers.servers import free_port
from tests.helpers.tcp_proxy import TcpProxy


@pytest.fixture
def url(rabbitmq_url: str) -> str:
    declare(rabbitmq_url, "quorum")
    return rabbitmq_url


@pytest.fixture
def queue(url: str) -> Iterator[BrokerQueue]:
    queue = BrokerQueue(url)
    yield queue
    queue.close()


def fetch(url: str, queue: str = "sync") -> tuple[Any, bytes]:
    with closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
        method, properties, body = connection.channel().basic_get(queue, auto_ack=True)
        assert method is not None
        assert body is not None
        assert properties is not None
        properties.headers.pop("x-delivery-count", None)  # the broker's own
        return properties, body


def test_published_messages_are_in_the_queue(queue: BrokerQueue, url: str) -> None:
    assert queue.publish_all(SyncMessage(n, f"request-{n}") for n in range(1, 2_501)) == set(
        range(1, 2_501)
    )
    assert queue.depth() == 2_500

    properties, body = fetch(url)
    assert body == b'{"id": 1}'
    assert properties.headers == {"request_id": "request-1"}
    assert properties.delivery_mode == 2
    assert (properties.message_id, properties.correlation_id) == ("1", "request-1")
    assert properties.content_type == "application/json"


def test_without_its_queue_no_message_counts_as_published(rabbitmq_url: str) -> None:
    with closing(BrokerQueue(rabbitmq_url)) as queue:
        assert queue.publish_all([SyncMessage(1), SyncMessage(2)]) == set()


def test_the_depth_of_a_missing_queue_is_an_error(rabbitmq_url: str) -> None:
    with closing(BrokerQueue(rabbitmq_url)) as queue, pytest.raises(QueueUnavailable, match="404"):
        queue.depth()


def test_a_dead_letter_keeps_its_data_headers_and_reason(queue: BrokerQueue, url: str) -> None:
    dead = Unreadable(b"hello", "not JSON", {"request_id": {"bytes": [54, 98]}, "attempt": 1})

    queue.dead_letter(dead.data, dead.reason, dead.headers)

    properties, body = fetch(url, "sync.dead")
    assert body == b"hello"
    assert properties.headers == {"request_id": "6b", "attempt": 1, "reason": "not JSON"}
    assert properties.delivery_mode == 2
    assert queue.depth() == 0


def test_headers_that_amqp_has_no_place_for_are_kept_as_text(queue: BrokerQueue, url: str) -> None:
    queue.dead_letter(b"hello", "not JSON", {"ratio": 1.5, "big": 2**70, "flag": True, "list": [1]})

    properties, _ = fetch(url, "sync.dead")
    assert properties.headers == {
        "ratio": "1.5",
        "big": str(2**70),
        "flag": True,
        "list": "",
        "reason": "not JSON",
    }


def test_a_message_that_cannot_be_kept_is_an_error(rabbitmq_url: str) -> None:
    with closing(BrokerQueue(rabbitmq_url)) as queue, pytest.raises(QueueUnavailable, match="dead"):
        queue.dead_letter(b"hello", "not JSON", {})


def test_a_connection_that_died_meanwhile_is_opened_again(url: str) -> None:
    with TcpProxy(url) as proxy, closing(BrokerQueue(proxy.url)) as queue:
        queue.publish_all([SyncMessage(1)])
        proxy.refuse()
        proxy.accept()

        assert queue.publish_all([SyncMessage(2)]) == {2}
        assert queue.depth() == 2


def test_an_unreachable_broker_is_an_error_soon() -> None:
    started = time.monotonic()
    with (
        closing(BrokerQueue(f"amqp://guest:guest@127.0.0.1:{free_port()}/")) as queue,
        pytest.raises(QueueUnavailable, match="Connection refused"),
    ):
        queue.publish_all([SyncMessage(1)])
    assert time.monotonic() - started < 3


def test_a_silent_broker_is_an_error_in_time(silent_url: str) -> None:
    with closing(BrokerQueue(silent_url, timeout=0.5)) as queue:
        for _ in range(2):
            with pytest.raises(QueueUnavailable):
                queue.depth()


def test_an_invalid_password_is_not_shown(url: str) -> None:
    wrong = url.replace("//", "//nobody:hunter2@", 1)
    wrong = f"amqp://nobody:hunter2@{wrong.rpartition('@')[2]}"
    with closing(BrokerQueue(wrong)) as queue, pytest.raises(QueueUnavailable) as caught:
        queue.depth()
    assert "hunter2" not in str(caught.value)


def test_an_invalid_url_names_the_setting_and_not_the_password() -> None:
    with pytest.raises(SettingError, match="RABBITMQ_URL") as caught:
        BrokerQueue("amqp://user:hunter2@host:notaport/")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("queue_type", ["quorum", "classic"])
def test_the_queues_are_durable_and_declared_once_or_twice(
    rabbitmq_url: str, queue_type: str
) -> None:
    declare(rabbitmq_url, queue_type)
    declare(rabbitmq_url, queue_type)

    with closing(pika.BlockingConnection(pika.URLParameters(rabbitmq_url))) as connection:
        channel = connection.channel()
        arguments = {
            "x-queue-type": queue_type,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": "sync.dead",
        }
        if queue_type == "quorum":
            arguments["x-delivery-limit"] = 10_000  # type: ignore[assignment] # AMQP takes both
        # The broker refuses a declaration that differs in anything.
        channel.queue_declare("sync", durable=True, arguments=arguments)
        channel.queue_declare("sync.dead", durable=True, arguments={"x-queue-type": queue_type})


def test_a_queue_of_another_type_is_one_clear_line(url: str) -> None:
    with pytest.raises(SettingError, match="QUEUE_TYPE") as caught:
        declare(url, "classic")
    assert "\n" not in str(caught.value)
    assert "x-queue-type" in str(caught.value)


def test_a_message_returned_too_often_goes_to_the_dead_letters(url: str) -> None:
    with closing(BrokerQueue(url)) as queue:
        queue.publish_all([SyncMessage(1)])
    with closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
        channel = connection.channel()
        method, _, _ = channel.basic_get("sync")
        assert method is not None
        channel.basic_reject(method.delivery_tag, requeue=False)  # as at the delivery limit
        connection.process_data_events(0)
        for _ in range(500):
            found, properties, body = channel.basic_get("sync.dead", auto_ack=True)
            if found and properties:
                break
            connection.sleep(0.01)
        assert body == b'{"id": 1}'
        assert properties is not None
        assert properties.headers["x-first-death-queue"] == "sync"
