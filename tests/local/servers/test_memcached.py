from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from local.servers.errors import NotReady, PortInUse
from local.servers.memcached import MemcachedServer
from tests.helpers.servers import free_port


def test_it_answers_until_it_is_stopped(memcached_server: MemcachedServer) -> None:
    host, _, port = memcached_server.address.partition(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(b"set a 0 0 1\r\nb\r\n")
        assert connection.recv(100) == b"STORED\r\n"
    memcached_server.stop()
    assert memcached_server.pid is None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


def test_starting_twice_changes_nothing(memcached_server: MemcachedServer) -> None:
    first = memcached_server.pid
    memcached_server.start()
    assert memcached_server.pid == first


def test_one_that_stays_is_found_and_stopped_by_another(
    tmp_path: Path, start_server: Callable[[MemcachedServer], MemcachedServer]
) -> None:
    port = free_port()
    started = start_server(MemcachedServer(tmp_path, port, stays=True))
    found = MemcachedServer(tmp_path, port, stays=True)
    found.start()
    assert found.pid == started.pid
    found.stop()
    assert started.pid is None


def test_a_port_in_use_is_named(memcached_server: MemcachedServer, tmp_path: Path) -> None:
    port = int(memcached_server.address.rpartition(":")[2])
    with pytest.raises(PortInUse, match=f"{port}, which memcached needs"):
        MemcachedServer(tmp_path / "other", port).start()


def test_one_that_cannot_be_reached_is_not_ready(memcached_server: MemcachedServer) -> None:
    memcached_server.stop()
    with pytest.raises(NotReady, match="memcached ended"):
        memcached_server.wait_ready(5.0)
