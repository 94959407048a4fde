from __future__ import annotations

import socket
import threading

from pika.adapters.select_connection import IOLoop
from pika.channel import Channel

from shared.errors import QueueUnavailable
from shared.queue.rabbitmq.link import Link
from shared.queue.rabbitmq.nodes import Nodes
from tests.helpers.waiting import join

PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"


class Owner:
    def __init__(self, loop: IOLoop) -> None:
        self._loop = loop
        self.lost: list[QueueUnavailable] = []

    def on_ready(self, channel: Channel) -> None:
        raise AssertionError(channel)

    def on_lost(self, error: QueueUnavailable) -> None:
        self.lost.append(error)
        self._loop.stop()


def test_it_can_be_closed_while_it_is_being_made() -> None:
    with socket.create_server(("127.0.0.1", 0)) as broker:
        broker.settimeout(10)
        loop = IOLoop()
        owner = Owner(loop)
        port = broker.getsockname()[1]
        link = Link(Nodes(f"amqp://127.0.0.1:{port}/").current, loop, owner)
        closed = threading.Event()

        def close() -> None:
            link.close()
            closed.set()

        def greet_nobody() -> None:
            peer, _ = broker.accept()
            peer.settimeout(10)
            with peer:
                assert peer.recv(len(PROTOCOL_HEADER)) == PROTOCOL_HEADER
                loop.add_callback_threadsafe(close)
                closed.wait(10)

        thread = threading.Thread(target=greet_nobody)
        thread.start()
        loop.call_later(30, loop.stop)
        loop.start()
        join(thread)
        loop.close()
    assert len(owner.lost) == 1
