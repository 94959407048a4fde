"""TCP ports of this machine."""

from __future__ import annotations

import ipaddress
import socket

from local.servers.errors import PortInUse


def require_free(port: int, server: str) -> None:
    """Returns if a server can take a TCP port of 127.0.0.1.

    Raises:
        PortInUse: something listens there.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise PortInUse(server, port) from None


def free_port() -> int:
    """Gives a TCP port of 127.0.0.1 that nothing uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(port: int, question: bytes, expected: bytes) -> bool:
    """Tells whether a server on 127.0.0.1 greets as it should.

    Args:
        port: its TCP port.
        question: what to send.
        expected: how its answer begins; empty where the connection is proof enough.
    """
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            connection.sendall(question)
            return not expected or connection.recv(len(expected)).startswith(expected)
    except OSError:
        return False


def is_loopback(host: str) -> bool:
    """Tells whether a server that listens there can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
