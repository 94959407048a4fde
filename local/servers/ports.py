"""TCP ports of this machine: which are free, and which answer."""

from __future__ import annotations

import socket

from local.addresses import LOOPBACK
from local.servers.errors import PortInUse


def require_free(port: int, server: str) -> None:
    """Check that a server can take a TCP port of 127.0.0.1.

    Args:
        port: the TCP port.
        server: the server's name, for the error.

    Raises:
        PortInUse: something listens there.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            raise PortInUse(server, port) from None


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing uses now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def answers(port: int, question: bytes, expected: bytes, host: str = LOOPBACK) -> bool:
    """Return whether a server of this machine greets as expected.

    Args:
        port: its TCP port.
        question: what to send.
        expected: how its answer begins; empty where the connection is proof enough.
        host: its address.
    """
    try:
        with socket.create_connection((host, port), timeout=1.0) as connection:
            connection.sendall(question)
            return not expected or connection.recv(len(expected)).startswith(expected)
    except OSError:
        return False
