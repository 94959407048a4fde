"""TCP ports of this machine."""

from __future__ import annotations

import ipaddress
import socket

from local.servers.errors import PortInUse

LOOPBACK = "127.0.0.1"


def require_free(port: int, server: str) -> None:
    """Returns if a server can take a TCP port of 127.0.0.1.

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
    """Gives a TCP port of 127.0.0.1 that nothing uses now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def answers(port: int, question: bytes, expected: bytes, host: str = LOOPBACK) -> bool:
    """Tells whether a server of this machine greets as it should.

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


def is_loopback(host: str) -> bool:
    """Tells whether a server that listens there can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def near(host: str) -> str:
    """Gives an address by which what listens on `host` is reached from this machine."""
    return {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)  # noqa: S104


def at(host: str, port: int) -> str:
    """Gives an address with a port, as a URL or nginx has it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def base_url(host: str, port: int) -> str:
    """Gives the URL, for people and clients on this machine, of what listens on `host`."""
    place = near(host)
    return f"http://{at('localhost' if place == LOOPBACK else place, port)}"
