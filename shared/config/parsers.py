"""Kinds of settings: how the text of a variable becomes a value.

Every parser raises `ValueError` with what it expected; `shared.config.settings` adds the name of
the variable.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `count` requests in any `seconds` seconds; a count of 0 means no limit."""

    count: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `50/m`, `5/s`, `1000/h` or `off`.

        Raises:
            ValueError: it is none of these.
        """
        if text.strip().lower() == "off":
            return cls(0, 1)
        match = re.fullmatch(r"\s*([1-9][0-9]{0,8})/([smh])\s*", text)
        if match is None:
            raise ValueError("expected a count a second, minute or hour such as 50/m, or off")
        return cls(int(match[1]), {"s": 1, "m": 60, "h": 3600}[match[2]])


def whole(minimum: int) -> Callable[[str], int]:
    """Reads a whole number of at least `minimum`."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,18}", text) or int(text) < minimum:
            raise ValueError(f"expected a whole number of at least {minimum}")
        return int(text)

    return parse


def one_of(*allowed: str) -> Callable[[str], str]:
    """Read one of the allowed words."""

    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"expected one of {', '.join(allowed)}")
        return text

    return parse


def flag(text: str) -> bool:
    """Read 0 or 1."""
    return one_of("0", "1")(text) == "1"


def key(text: str) -> bytes:
    """Reads a key: its UTF-8 bytes."""
    return text.encode()


def url(*schemes: str) -> Callable[[str], str]:
    """Read a URL of one of the schemes."""

    def parse(text: str) -> str:
        if text.partition("://")[0] not in schemes or not text.partition("://")[2]:
            raise ValueError(
                f"expected a URL that begins with {' or '.join(f'{s}://' for s in schemes)}"
            )
        return text

    return parse


def bucket_name(text: str) -> str:
    """Read a bucket's name, as old and new rules allow it, or an access point's ARN."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{3,255}|arn:[!-~]+", text):
        raise ValueError("expected the name of a bucket")
    return text


def host_port(text: str) -> tuple[str, int]:
    """Reads `host:port`."""
    host, _, port = text.rpartition(":")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 2**16:
        raise ValueError("expected host:port")
    return host.strip("[]"), int(port)


def networks(text: str) -> tuple[IpNetwork, ...]:
    """Read addresses and networks, separated by commas."""
    try:
        return tuple(ipaddress.ip_network(n.strip()) for n in text.split(",") if n.strip())
    except ValueError as error:
        raise ValueError(
            "expected addresses or networks separated by commas, such as 10.0.0.0/8"
        ) from error
