from __future__ import annotations

import fcntl
import logging
import socket
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from local.servers.memcached import MemcachedServer
from shared.cache.interface import Counter
from shared.cache.memcached import BACK_OFF_SECONDS, TIMEOUT_SECONDS, MemcachedCache
from shared.errors import CacheUnavailable
from tests.helpers.freezing import frozen
from tests.helpers.servers import free_port
from tests.helpers.waiting import answers, join, until

COUNTER = Counter("a:1", "a:0", 60)


class Clock:
    """A clock that only moves when it is told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(memcached_address: tuple[str, int], clock: Clock) -> Iterator[MemcachedCache]:
    cache = MemcachedCache(memcached_address, clock)
    until(answers(cache))
    yield cache
    cache.close()


def count(cache: MemcachedCache) -> int:
    return cache.count([COUNTER])[0][0]


def counted(cache: MemcachedCache, clock: Clock) -> Callable[[], bool]:
    """Ask again and again, each time after the back-off."""

    def ask() -> bool:
        clock.now += BACK_OFF_SECONDS + 1
        return count(cache) > 0

    return ask


def test_a_request_waits_for_it_at_most_a_moment() -> None:
    assert TIMEOUT_SECONDS < 0.05


def test_an_unreachable_server_is_logged_once_and_not_asked_again(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    cache = MemcachedCache(("127.0.0.1", free_port()), clock)
    with pytest.raises(CacheUnavailable):
        count(cache)
    for passed in (0.0, 1.0, BACK_OFF_SECONDS - 0.1):
        clock.now = 1000.0 + passed
        with pytest.raises(CacheUnavailable, match="not asked again"):
            count(cache)
        with pytest.raises(CacheUnavailable, match="not asked again"):
            cache.take_back([COUNTER])
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    clock.now = 1000.0 + BACK_OFF_SECONDS
    with pytest.raises(CacheUnavailable, match=r"^memcached is unreachable$"):
        count(cache)


def test_a_server_that_takes_connections_but_never_answers_is_given_up(clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        cache = MemcachedCache(silent.getsockname(), clock)
        with pytest.raises(CacheUnavailable):
            count(cache)
        with pytest.raises(CacheUnavailable, match="not asked again"):
            count(cache)


def test_a_name_that_does_not_resolve_is_an_unreachable_cache(clock: Clock) -> None:
    with pytest.raises(CacheUnavailable):
        count(MemcachedCache(("name.invalid", 11211), clock))


@pytest.mark.parametrize(
    "answer",
    [b"MN\r\n", b"VA 1\r\nx\r\nEN\r\nMN\r\n", b"VA 1\r\nMN\r\n", b"CLIENT_ERROR\r\nMN\r\n"],
)
def test_a_server_that_speaks_otherwise_is_no_cache(clock: Clock, answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        stranger.settimeout(10)
        thread = threading.Thread(target=answer_once, args=(stranger, answer))
        thread.start()
        cache = MemcachedCache(stranger.getsockname(), clock)
        with pytest.raises(CacheUnavailable):
            count(cache)
        join(thread)
        cache.close()


@pytest.mark.parametrize("cut", [1, 5, 16, 17])
def test_an_answer_may_come_in_pieces(clock: Clock, cut: int) -> None:
    answer = b"VA 1\r\n7\r\nEN\r\nMN\r\n"
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        cache = MemcachedCache(server.getsockname(), clock)
        with ThreadPoolExecutor(1) as thread:
            told = thread.submit(answer_once, server, answer[:cut], answer[cut:])
            assert cache.count([COUNTER]) == [(7, 0)]
            told.result()
        cache.close()


def answer_once(server: socket.socket, *pieces: bytes) -> None:
    connection, _ = server.accept()
    connection.settimeout(10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:
        connection.recv(1000)
        for piece in pieces:
            connection.sendall(piece)
            until(partial(all_received, connection))


def all_received(connection: socket.socket) -> bool:
    """Return whether the other side's kernel has acknowledged everything that was sent."""
    unsent = fcntl.ioctl(connection, termios.TIOCOUTQ, b"\0" * 4)
    return int.from_bytes(unsent, sys.byteorder) == 0


def test_a_restart_is_not_noticed(
    cache: MemcachedCache, memcached_server: MemcachedServer, clock: Clock
) -> None:
    pool_many_connections(cache)
    memcached_server.stop()
    memcached_server.start()
    memcached_server.wait_ready()
    until(counted(cache, clock))
    assert count(cache) == 2


def pool_many_connections(cache: MemcachedCache) -> None:
    barrier = threading.Barrier(8, timeout=30)

    def use(_: int) -> None:
        barrier.wait()
        for _ in range(20):
            until(answers(cache))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(use, range(8)))


def test_kept_connections_that_broke_cause_no_back_off(
    cache: MemcachedCache,
    memcached_server: MemcachedServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    pool_many_connections(cache)
    memcached_server.stop()
    memcached_server.start()
    memcached_server.wait_ready()
    caplog.clear()
    until(answers(cache))
    refused = [r for r in caplog.records if "Timeout" not in repr(r.__dict__.get("error"))]
    assert refused == []


def test_a_frozen_server_is_not_asked_until_the_back_off_ends(
    cache: MemcachedCache, memcached_server: MemcachedServer, clock: Clock
) -> None:
    count(cache)
    with frozen(memcached_server.pid):
        with pytest.raises(CacheUnavailable):
            count(cache)
        with pytest.raises(CacheUnavailable, match="not asked again"):
            count(cache)
    until(counted(cache, clock))


def test_a_ping_ends_the_back_off(cache: MemcachedCache, memcached_server: MemcachedServer) -> None:
    memcached_server.stop()
    with pytest.raises(CacheUnavailable):
        cache.ping()
    memcached_server.start()
    memcached_server.wait_ready()
    with pytest.raises(CacheUnavailable, match="not asked again"):
        count(cache)
    until(answers(cache))
    assert count(cache) == 1


def test_a_ping_that_fails_does_not_end_the_back_off(clock: Clock) -> None:
    cache = MemcachedCache(("127.0.0.1", free_port()), clock)
    for _ in range(2):
        with pytest.raises(CacheUnavailable):
            cache.ping()
        with pytest.raises(CacheUnavailable, match="not asked again"):
            count(cache)


def test_a_flushed_cache_counts_from_one_again(
    cache: MemcachedCache, memcached_address: tuple[str, int]
) -> None:
    assert [count(cache) for _ in range(3)] == [1, 2, 3]
    with socket.create_connection(memcached_address, timeout=10) as connection:
        connection.sendall(b"flush_all\r\n")
        assert connection.recv(100) == b"OK\r\n"
    assert count(cache) == 1
