from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pika
import pika.exceptions
import pytest

from local.servers.ports import require_free
from local.servers.rabbitmq import RabbitPorts, RabbitServer
from local.servers.running import Record
from tests.helpers.servers import free_port


def channel_of(url: str) -> pika.BlockingConnection:
    return pika.BlockingConnection(pika.URLParameters(url))


def test_queues_survive_a_restart_and_nothing_survives_a_stop(
    tmp_path: Path, start_server: Callable[[RabbitServer], RabbitServer]
) -> None:
    ports = RabbitPorts(*(free_port() for _ in range(4)))
    server = start_server(RabbitServer(tmp_path, ports))
    with closing(channel_of(server.url)) as connection:
        channel = connection.channel()
        channel.queue_declare("kept", durable=True, arguments={"x-queue-type": "quorum"})
        channel.confirm_delivery()
        channel.basic_publish("", "kept", b"message", pika.BasicProperties(delivery_mode=2))
    shown = server.control("--quiet", "list_queues", "name", "type", "durable").run().stdout
    assert shown.split("\n")[1].split() == ["kept", "quorum", "true"]

    records = [Record.load(tmp_path / name) for name in ("rabbitmq.pid", "epmd.pid")]
    server.stop()
    for record in records:
        assert record
        assert not record.server.alive
        with pytest.raises(ProcessLookupError):
            os.killpg(record.server.pid, 0)
    for port in (ports.amqp, ports.management, ports.distribution, ports.mapper):
        require_free(port, "RabbitMQ")

    start_server(server)
    with closing(channel_of(server.url)) as connection:
        _, _, body = connection.channel().basic_get("kept", auto_ack=True)
    assert body == b"message"


def test_there_is_no_guest(rabbitmq_url: str) -> None:
    address = rabbitmq_url.rpartition("@")[2]
    with pytest.raises(pika.exceptions.ProbableAuthenticationError):
        channel_of(f"amqp://guest:guest@{address}")


def test_only_the_owner_can_read_its_password(tmp_path: Path) -> None:
    server = RabbitServer(tmp_path, RabbitPorts(1, 2, 3, 4))
    server.configure()
    files = ("password", "rabbitmq.conf")
    assert [(tmp_path / "rabbitmq" / name).stat().st_mode & 0o777 for name in files] == [0o600] * 2
    assert server.password in server.url
