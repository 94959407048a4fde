"""Clients that dawdle, hold on, break off and cheat: the service goes on serving the others."""

from __future__ import annotations

import contextlib
import http.client
import resource
import select
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from local.servers.errors import ProgramMissing
from local.servers.nginx import NginxServer
from tests.faults.harness.arena import Arena, Trial
from tests.faults.harness.load import Client
from tests.faults.harness.stack import SECRET
from tests.helpers.missing import missing
from tests.helpers.servers import free_port

RETRY_SECONDS = 5.0
"""A request that shares the service with such clients is answered within so many seconds."""

ADDRESSES = tuple(f"127.0.0.{number}" for number in range(2, 12))
"""Of the clients that are in the way; one address has too few ports for them on some systems."""

POST = b"POST /sync/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@contextlib.contextmanager
def connections(
    port: int, count: int, addresses: Sequence[str] = ("127.0.0.1",)
) -> Iterator[list[socket.socket]]:
    """Hold connections open, from each of the addresses in turn."""
    with contextlib.ExitStack() as opened:
        yield [
            opened.enter_context(
                socket.create_connection(
                    ("127.0.0.1", port), 30.0, (addresses[number % len(addresses)], 0)
                )
            )
            for number in range(count)
        ]


def still_open(links: Sequence[socket.socket]) -> int:
    """Return how many connections the service has neither answered nor closed."""
    poll = select.poll()
    for link in links:
        poll.register(link, select.POLLIN | select.POLLHUP)
    return len(links) - len(poll.poll(0))


@contextlib.contextmanager
def many_files(count: int) -> Iterator[None]:
    """Allow this process, and what it starts, so many open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count:
        pytest.skip(f"needs {count} open files, the system allows {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def nginx_port(arena: Arena, tmp_path: Path) -> Iterator[int]:
    """The port of an nginx in front of the service."""
    port = free_port()
    server = NginxServer(
        tmp_path,
        port,
        functions_port=arena.stack.port,
        storage=arena.stack.storage,
        max_body_bytes=65_536,
    )
    try:
        server.start()
        server.wait_ready()
    except ProgramMissing as error:
        missing(error.about)
    yield port
    server.stop()


def serves_others(trial: Trial, times: int = 5) -> None:
    for number in range(times):
        began = time.monotonic()
        name = f"other-{began}-{number}"
        trial.send("plain", name=name)
        assert time.monotonic() - began < RETRY_SECONDS


def test_slow_senders_of_headers_delay_no_other(arena: Arena, *, long: bool) -> None:
    with (
        arena.trial("slow-loris clients") as trial,
        connections(arena.stack.port, 500 if long else 100) as slow,
    ):
        trial.times = len(slow)
        for beginning in (b"POST /sync/ HT", b"TP/1.1\r\nHo", b"st: loc", b"alhost\r\nX-"):
            for connection in slow:
                connection.sendall(beginning)
            serves_others(trial)


def test_half_sent_bodies_delay_no_other(arena: Arena, *, long: bool) -> None:
    with (
        arena.trial("half-sent bodies") as trial,
        connections(arena.stack.port, 500 if long else 100) as halves,
    ):
        trial.times = len(halves)
        for connection in halves:
            connection.sendall(POST + b"Content-Length: 1000\r\n\r\n" + b"x" * 500)
        serves_others(trial)


def test_idle_connections_delay_no_other(arena: Arena, *, long: bool) -> None:
    wanted = 10_000 if long else 500
    with many_files(2 * wanted):
        arena.stack.serve.restart()  # with the same limit
        arena.stack.start()
        with (
            arena.trial("idle connections") as trial,
            connections(arena.stack.port, wanted) as idle,
        ):
            trial.times = len(idle)
            serves_others(trial)


def test_idle_connections_through_nginx_delay_no_other(
    arena: Arena, nginx_port: int, *, long: bool
) -> None:
    wanted = 10_000 if long else 500
    with (
        many_files(2 * wanted),
        arena.trial("idle connections through nginx") as trial,
        connections(nginx_port, wanted, ADDRESSES) as idle,
    ):
        assert still_open(idle) == wanted
        trial.times = wanted
        trial.client = Client(nginx_port, SECRET, trial.promises)
        serves_others(trial)


def test_half_open_connections_of_one_address_delay_no_other(
    arena: Arena, nginx_port: int, *, long: bool
) -> None:
    wanted = 10_000 if long else 500
    with (
        many_files(2 * wanted),
        arena.trial("half-open connections through nginx") as trial,
        connections(nginx_port, wanted, ADDRESSES[:1]) as halves,
    ):
        for connection in halves:
            connection.sendall(POST)
        assert still_open(halves) == wanted
        trial.times = wanted
        trial.client = Client(nginx_port, SECRET, trial.promises)
        serves_others(trial)


def test_pipelined_requests_are_answered_in_order(arena: Arena) -> None:
    with arena.trial("pipelining") as trial, connections(arena.stack.port, 1) as (link,):
        one = b"GET /sync/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
        other = b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n"
        link.sendall((one + other) * 20)
        link.settimeout(10.0)
        answers = b""
        while answers.count(b"HTTP/1.1 ") < 40:
            received = link.recv(65_536)
            assert received, answers
            answers += received
        statuses = [part[:3] for part in answers.split(b"HTTP/1.1 ")[1:]]
        assert statuses == [b"200", b"404"] * 20
        serves_others(trial)


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: x\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Content-Length: 2\r\n",
        b"Content-Length: 2000000000\r\n",
    ],
)
def test_a_wrong_length_is_never_taken_for_a_request(headers: bytes, arena: Arena) -> None:
    with arena.trial("wrong Content-Length") as trial, connections(arena.stack.port, 1) as (link,):
        link.settimeout(30.0)
        with contextlib.suppress(OSError):
            link.sendall(POST + headers + b"\r\n" + b'{"not": "signed"}')
            link.shutdown(socket.SHUT_WR)
            answer = http.client.HTTPResponse(link)
            answer.begin()
            assert 400 <= answer.status < 500
        serves_others(trial, 1)
