"""Which address a request came from, if there are proxies in between, and what limits count."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache

from shared.config.parsers import IpNetwork

SITE_BITS = 64
"""Of an IPv6 address, those that a provider gives to one site (RFC 6177). The site chooses the
others as it likes, so a limit on a single address would be none."""

LONGEST = 64
"""Characters of an address: an IPv6 one, IPv4 at its end, in brackets and with a port, has 53. Each
request has one or two to read, most of them the same, which takes 8 µs."""

_WITH_PORT = re.compile(r"\[([^\]]*)\](?::\d{1,5})?|([\d.]+):\d{1,5}")
"""An entry as some proxies write it: `[2001:db8::1]`, `[2001:db8::1]:443`, `192.0.2.1:443`."""


def client_address(peer: str, forwarded_for: str | None, trusted: Sequence[IpNetwork]) -> str:
    """Return the client's address.

    Each proxy appends its peer's address to `X-Forwarded-For`, so the list is read from its end for
    as long as the writer of an entry is trusted. A stranger can write anything in front.

    ============  =================  ============  ============
    peer          X-Forwarded-For    trusted       client
    ============  =================  ============  ============
    198.51.100.9  203.0.113.7        (none)        198.51.100.9
    10.0.0.2      203.0.113.7        10.0.0.0/8    203.0.113.7
    10.0.0.2      1.2.3.4, 10.0.0.1  10.0.0.0/8    1.2.3.4
    10.0.0.2      9.9.9.9, 1.2.3.4   10.0.0.0/8    1.2.3.4
    10.0.0.2      1.2.3.4:5060       10.0.0.0/8    1.2.3.4
    10.0.0.2      [2001:db8::1]:443  10.0.0.0/8    2001:db8::1
    10.0.0.2      nonsense           10.0.0.0/8    10.0.0.2
    10.0.0.2      fe80::1%a zone     10.0.0.0/8    10.0.0.2
    2001:DB8:0::  203.0.113.7        (none)        2001:db8::
    ::ffff:a00:2  203.0.113.7        10.0.0.0/8    203.0.113.7
    (nothing)     203.0.113.7        10.0.0.0/8    (nothing)
    ============  =================  ============  ============

    Args:
        peer: the address that connected.
        forwarded_for: the header's value, repeated headers joined by commas.
        trusted: networks of proxies whose entries count.

    Returns:
        The address in its shortest form, so that one client has one name; empty if the peer has no
        address, on a Unix socket for example.
    """
    client = _address(peer)
    if client is None:
        return ""
    for entry in reversed((forwarded_for or "").split(",")):
        candidate = _address(entry.strip())
        if candidate is None or not any(client in network for network in trusted):
            break
        client = candidate
    return str(client)


def is_within(address: str, networks: Sequence[IpNetwork]) -> bool:
    """Return whether an address is in one of the networks; what is no address is in none."""
    found = _address(address)
    return found is not None and any(found in network for network in networks)


def limited_as(address: str) -> str:
    """Return what a limit counts a client's requests under.

    ===============  ====================
    address          counted as
    ===============  ====================
    203.0.113.7      203.0.113.7
    2001:db8::1      2001:db8::/64
    (nothing)        (nothing)
    ===============  ====================

    Args:
        address: as `client_address` returns it.
    """
    if ":" not in address:
        return address
    return str(ipaddress.ip_network((address, SITE_BITS), strict=False))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    # What strangers write in a header may be of any length, and is not kept.
    return _parsed(text) if len(text) <= LONGEST else None


@lru_cache(maxsize=4_096)
def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if match := _WITH_PORT.fullmatch(text):
        text = match[1] or match[2] or ""
    if "%" in text:
        # A zone (RFC 4007, section 11) means something on one machine only, and may be any text.
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    # A dual-stack socket shows an IPv4 peer in this form (RFC 4291, section 2.5.5.2).
    return getattr(address, "ipv4_mapped", None) or address
