"""IP addresses of this machine, and how they are written with a port."""

from __future__ import annotations

import ipaddress

LOOPBACK = "127.0.0.1"
LOOPBACK_HOSTS = r"localhost|.+\.localhost|127\.[0-9]+\.[0-9]+\.[0-9]+|\[::1\]"
"""A regular expression of the names, in lower case, by which only this machine can be meant."""


def is_loopback(host: str) -> bool:
    """Return whether only this machine can connect to a server that listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def near(host: str) -> str:
    """Return an address at which this machine reaches a server that listens on `host`."""
    return {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)  # noqa: S104 # compared, not bound


def at(host: str, port: int) -> str:
    """Return an address with a port, as URLs and nginx write it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def base_url(host: str, port: int, *, tls: bool = False) -> str:
    """Return the URL, for people and clients on this machine, of a server that listens on `host`.

    Args:
        host: the address that it listens on.
        port: its TCP port.
        tls: whether it answers in TLS.
    """
    place = near(host)
    return f"{'https' if tls else 'http'}://{at('localhost' if place == LOOPBACK else place, port)}"
