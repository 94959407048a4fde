from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from pika.credentials import PlainCredentials

from shared.errors import QueueUnavailable, SettingError
from shared.queue.blocking import BlockingPublisher
from shared.queue.messages import SyncMessage
from shared.queue.rabbitmq.background import BackgroundPublisher
from shared.queue.rabbitmq.broker_queue import BrokerQueue, declare
from shared.queue.rabbitmq.consumer import Consumer, Tag
from shared.queue.rabbitmq.link import SILENT_SECONDS
from shared.queue.rabbitmq.nodes import Nodes, split
from shared.queue.rabbitmq.sender import BrokerSender
from shared.queue.rmq_event import Delivery
from tests.helpers.servers import free_port
from tests.helpers.tcp_proxy import Condition, TcpProxy
from tests.helpers.waiting import join, until


@pytest.mark.parametrize(
    ("url", "urls"),
    [
        ("amqp://a", ["amqp://a"]),
        ("amqp:///v", ["amqp:///v"]),
        ("amqp://u:p@a:1,b/v", ["amqp://u:p@a:1/v", "amqp://u:p@b/v"]),
        ("amqp://u:p@a,a,b", ["amqp://u:p@a", "amqp://u:p@b"]),
        (
            "amqps://u:p,q%40@[::1]:1,[fd00::2]/?heartbeat=7",
            [
                "amqps://u:p,q%40@[::1]:1/?heartbeat=7",
                "amqps://u:p,q%40@[fd00::2]/?heartbeat=7",
            ],
        ),
    ],
)
def test_a_url_of_several_hosts_is_several_urls(url: str, urls: list[str]) -> None:
    assert split(url) == urls


@pytest.mark.parametrize(
    ("url", "host", "port", "password"),
    [
        ("amqp://u:p%2Cq,r%40s@h", "h", 5672, "p,q,r@s"),
        ("amqps://u:p@h", "h", 5671, "p"),
        ("amqps://u:p@h:7", "h", 7, "p"),
        ("amqp://u:p@[::1]", "::1", 5672, "p"),
        ("amqp://u:p@[::1]:7/v", "::1", 7, "p"),
    ],
)
def test_each_has_its_port_and_the_login(url: str, host: str, port: int, password: str) -> None:
    node = Nodes(url).current
    assert (node.host, node.port) == (host, port)
    assert isinstance(node.credentials, PlainCredentials)
    assert node.credentials.password == password
    assert (node.ssl_options is not None) == url.startswith("amqps")


@pytest.mark.parametrize(
    "url",
    [
        "amqp://u:hidden@a/,amqp://u:hidden@b/",
        "amqp://u:hidden@a;amqp://u:hidden@b",
        "amqp://u:hidden@a,u:hidden@b/",
        "amqp://u:hidden@a;b/",
        "amqp://u:hidden@a,/",
        "amqp://u:hidden@,a/",
        "amqp://u:hidden@a, b/",
        "amqp://u:hidden@a:hidden,b/",
        "amqp://u:hidden@a:70000,b/",
        "amqp://u:hidden@a:0,b/",
        "amqp://u:hidden@::1,::2/",
        "amqp://u:hidden@[hidden],b/",
        "amqp://u:hid/den@a,b/",
        "amqp://hidden@a,b/",
        "amqp://u:hidden@a,b/?hidden=hidden",
    ],
)
def test_what_is_no_such_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(SettingError, match=r"RABBITMQ_URL.*amqp://user:password@host") as caught:
        Nodes(url)
    assert "hid" not in str(caught.value)


def test_each_client_has_an_order_of_its_own() -> None:
    url = "amqp://a,b,c,d"
    assert len({Nodes(url).current.host for _ in range(100)}) == 4


def test_the_others_are_tried_at_once_and_then_after_a_back_off() -> None:
    nodes = Nodes("amqp://a,b,c", chance=lambda: 1.0)
    tried, waited = [], []
    for _ in range(7):
        tried.append(nodes.current.host)
        waited.append(nodes.leave())
    assert tried == ["a", "b", "c", "a", "b", "c", "a"]
    assert waited == pytest.approx([0, 0, 0.2, 0, 0, 0.4, 0])
    nodes.stay()
    assert [nodes.leave() for _ in range(3)] == pytest.approx([0, 0, 0.2])


class Two:
    """One broker behind two proxies, as two nodes of a cluster.

    Attributes:
        nodes: the proxies by their ports.
        url: of both.
    """

    def __init__(self, url: str, one: TcpProxy, other: TcpProxy) -> None:
        self.nodes = {one.port: one, other.port: other}
        head, _, tail = url.rpartition("@")
        self.url = f"{head}@127.0.0.1:{one.port},127.0.0.1:{other.port}/{tail.partition('/')[2]}"

    def used(self) -> TcpProxy:
        """Return the one with a connection that passes; there is one."""
        (proxy,) = [proxy for proxy in self.nodes.values() if proxy.open]
        return proxy


@pytest.fixture
def two(rabbitmq_url: str) -> Iterator[Two]:
    declare(rabbitmq_url, "quorum")
    with TcpProxy(rabbitmq_url) as one, TcpProxy(rabbitmq_url) as other:
        yield Two(rabbitmq_url, one, other)


def test_a_queue_passes_over_a_silent_and_a_dead_node(rabbitmq_url: str) -> None:
    declare(rabbitmq_url, "quorum")
    head, _, tail = rabbitmq_url.rpartition("@")
    address, _, vhost = tail.partition("/")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        ports = (silent.getsockname()[1], free_port())
        hosts = ",".join((*(f"127.0.0.1:{port}" for port in ports), address))
        url = f"{head}@{hosts}/{vhost}"
        for _ in range(6):  # whatever their order
            with closing(BrokerQueue(url, timeout=3.0)) as queue:
                began = time.monotonic()
                assert queue.publish_all([SyncMessage(1, "")]) == {1}
                assert time.monotonic() - began < 3.0
                began = time.monotonic()
                assert queue.depth()  # it is remembered
                assert time.monotonic() - began < 1.0
        publisher = BlockingPublisher(BrokerSender(url, timeout=3.0))
        publisher.publish(2, "")
        assert publisher.counts().confirmed == 1
        publisher.close(1)


@pytest.mark.parametrize("fault", ["silent", "reset", "refused"])
def test_a_queue_goes_on_at_another_node(two: Two, fault: str) -> None:
    with closing(BrokerQueue(two.url, timeout=4.0)) as queue:
        queue.depth()
        used = two.used()
        break_it(used, fault)
        began = time.monotonic()
        assert queue.publish_all([SyncMessage(1, "")]) == {1}
        assert time.monotonic() - began < 4.0
        assert two.used() is not used


def test_no_node_is_an_error_with_the_reasons(two: Two) -> None:
    for node, fault in zip(two.nodes.values(), ("silent", "refused"), strict=True):
        break_it(node, fault)
    queue = BrokerQueue(two.url, timeout=1.0)
    with closing(queue), pytest.raises(QueueUnavailable, match="refused") as caught:
        queue.depth()
    assert "no answer within" in str(caught.value)


@pytest.mark.parametrize("fault", ["reset", "refused"])
def test_a_publisher_goes_on_at_another_node_at_once(two: Two, fault: str) -> None:
    publisher = BackgroundPublisher(two.url)
    publisher.publish(1, "")
    until(lambda: publisher.counts().confirmed == 1)
    used = two.used()
    break_it(used, fault)
    began = time.monotonic()
    publisher.publish(2, "")
    until(lambda: publisher.counts().confirmed == 2)
    assert time.monotonic() - began < 2.0
    assert two.used() is not used
    publisher.close(1)


class Receiver:
    """Counts what it receives, and acknowledges it."""

    def __init__(self) -> None:
        self.received = 0
        self.consumer: Consumer

    def on_delivery(self, tag: Tag, delivery: Delivery) -> None:
        del delivery
        self.received += 1
        self.consumer.ack(tag)

    def on_reset(self) -> None:
        """Nothing is kept."""


@pytest.mark.parametrize("fault", ["reset", "refused"])
def test_a_consumer_goes_on_at_another_node_at_once(
    two: Two, rabbitmq_url: str, fault: str
) -> None:
    receiver = Receiver()
    receiver.consumer = consumer = Consumer(two.url, receiver, prefetch=10)
    with running(consumer), closing(BrokerQueue(rabbitmq_url)) as queue:
        queue.publish_all([SyncMessage(1, "")])
        until(lambda: receiver.received == 1)
        used = two.used()
        break_it(used, fault)
        began = time.monotonic()
        queue.publish_all([SyncMessage(2, "")])
        until(lambda: receiver.received >= 2)
        assert time.monotonic() - began < 2.0
        assert two.used() is not used


@contextmanager
def running(consumer: Consumer) -> Iterator[None]:
    thread = threading.Thread(target=consumer.run)
    thread.start()
    try:
        yield
    finally:
        consumer.call_soon(consumer.stop)
        join(thread)


def break_it(node: TcpProxy, fault: str) -> None:
    if fault == "refused":
        node.refuse()
    else:
        node.set_condition(Condition[fault.upper()])


NOTICED_SECONDS = 10.0
"""Seconds within which a node that says nothing any more must be left."""


def test_a_node_that_falls_silent_is_left_by_publisher_and_consumer(rabbitmq_url: str) -> None:
    declare(rabbitmq_url, "quorum")
    receiver = Receiver()
    with TcpProxy(rabbitmq_url) as one, TcpProxy(rabbitmq_url) as other:
        two = Two(rabbitmq_url, one, other)
        # At first there is one node, which both take.
        other.refuse()
        publisher = BackgroundPublisher(two.url)
        receiver.consumer = consumer = Consumer(two.url, receiver, prefetch=10)
        with running(consumer):
            publisher.publish(1, "")
            until(lambda: receiver.received == 1)
            other.accept()
            one.strand()
            one.set_condition(Condition.SILENT)
            began = time.monotonic()
            publisher.publish(2, "")
            until(lambda: other.connections == 2)  # the publisher and the consumer
            until(lambda: publisher.counts().confirmed == 2)
            assert time.monotonic() - began < NOTICED_SECONDS
            assert publisher.counts().lost == {}
            publisher.close(1)


def test_an_idle_connection_to_a_broker_that_answers_is_kept(rabbitmq_url: str) -> None:
    declare(rabbitmq_url, "quorum")
    with TcpProxy(rabbitmq_url) as proxy:
        publisher = BackgroundPublisher(proxy.url)
        publisher.publish(1, "")
        until(lambda: publisher.counts().confirmed == 1)
        time.sleep(SILENT_SECONDS + 1)  # what the test is about: nothing but heartbeats
        publisher.publish(2, "")
        until(lambda: publisher.counts().confirmed == 2)
        assert proxy.connections == 1
        publisher.close(1)
