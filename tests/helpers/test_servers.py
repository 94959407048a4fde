from __future__ import annotations

import socket
import urllib.request
from contextlib import closing

import pika
import psycopg2
import pytest


def rows(url: str) -> int:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM file_sync")
        (count,) = cursor.fetchone() or (None,)
    assert isinstance(count, int)
    return count


@pytest.mark.parametrize("time", ["first", "second"])
def test_each_test_has_an_empty_ledger(database_url: str, time: str) -> None:
    assert rows(database_url) == 0
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum,"
            " request_id) VALUES ('1', '2', 'a', 'b/c', decode(repeat('ab', 32), 'hex'), %s)",
            (time,),
        )
        connection.commit()
    assert rows(database_url) == 1


def test_an_empty_database_has_no_tables(postgres_url: str) -> None:
    with closing(psycopg2.connect(postgres_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('file_sync')")
        assert cursor.fetchone() == (None,)


@pytest.mark.parametrize("time", ["first", "second"])
def test_each_test_has_an_empty_virtual_host(rabbitmq_url: str, time: str) -> None:
    with closing(pika.BlockingConnection(pika.URLParameters(rabbitmq_url))) as connection:
        channel = connection.channel()
        declared = channel.queue_declare("sync", durable=True, arguments={"x-queue-type": "quorum"})
        channel.basic_publish("", "sync", time.encode())
    assert declared.method.message_count == 0


def test_memcached_answers(memcached_address: tuple[str, int]) -> None:
    with socket.create_connection(memcached_address, 10) as connection:
        connection.sendall(b"version\r\n")
        assert connection.recv(100).startswith(b"VERSION ")


def test_the_s3_answers(s3_endpoint: str) -> None:
    with urllib.request.urlopen(s3_endpoint, timeout=10) as answer:
        assert b"ListAllMyBucketsResult" in answer.read()
