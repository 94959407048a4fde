"""Which address a request came from, when proxies stand between."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.settings import IpNetwork


def client_address(peer: str, forwarded_for: str | None, trusted: Sequence[IpNetwork]) -> str:
    """Finds the client's address.

    Each proxy appends the peer it saw to `X-Forwarded-For`, so the list is read from its end for
    as long as the one who wrote an entry is trusted. A stranger can write anything in front.

    ============  =================  ============  ============
    peer          X-Forwarded-For    trusted       client
    ============  =================  ============  ============
    198.51.100.9  203.0.113.7        (none)        198.51.100.9
    10.0.0.2      203.0.113.7        10.0.0.0/8    203.0.113.7
    10.0.0.2      1.2.3.4, 10.0.0.1  10.0.0.0/8    1.2.3.4
    10.0.0.2      9.9.9.9, 1.2.3.4   10.0.0.0/8    1.2.3.4
    10.0.0.2      nonsense           10.0.0.0/8    10.0.0.2
    ============  =================  ============  ============

    Args:
        peer: the address that connected.
        forwarded_for: the header's value, repeated headers joined by commas.
        trusted: networks of proxies whose word counts.
    """
    client = peer
    for entry in reversed((forwarded_for or "").split(",")):
        if not trusted or not _within(client, trusted):
            break
        candidate = entry.strip()
        if _address(candidate) is None:
            break
        client = candidate
    return client


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _within(text: str, networks: Sequence[IpNetwork]) -> bool:
    address = _address(text)
    return address is not None and any(address in network for network in networks)
