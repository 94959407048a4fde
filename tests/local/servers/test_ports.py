from __future__ import annotations

import socket
import threading

import pytest

from local.servers.errors import PortInUse
from local.servers.ports import answers, free_port, require_free


def test_a_port_in_use_is_reported_with_its_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=f"PostgreSQL.*{port}|{port}.*PostgreSQL"):
            require_free(port, "PostgreSQL")


def test_a_free_port_can_be_taken() -> None:
    port = free_port()
    require_free(port, "PostgreSQL")
    with socket.create_server(("127.0.0.1", port)) as taken:
        assert taken.getsockname()[1] == port


@pytest.mark.parametrize(
    ("greeting", "expected", "answered"),
    [(b"HTTP/1.1 200", b"HTTP/", True), (b"220 smtp", b"HTTP/", False), (b"", b"HTTP/", False)],
)
def test_only_the_expected_greeting_is_an_answer(
    greeting: bytes, expected: bytes, answered: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            connection, _ = server.accept()
            with connection:
                assert connection.recv(100) == b"hello"
                connection.sendall(greeting)

        greeting_thread = threading.Thread(target=greet)
        greeting_thread.start()
        assert answers(server.getsockname()[1], b"hello", expected) is answered
        greeting_thread.join()


def test_a_connection_may_be_proof_enough() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert answers(port, b"", b"")
    assert not answers(port, b"", b"")
