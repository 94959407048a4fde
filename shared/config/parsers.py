"""Parsers of settings: how the text of a variable becomes a value.

Every parser raises `ValueError` with what it expected; `shared.config.settings` adds the name of
the variable.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

MIN_WEBHOOK_SECRET, MAX_WEBHOOK_SECRET = 24, 64
"""Bytes of a secret for webhooks (Standard Webhooks, "Signature scheme")."""

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
            raise ValueError("expected a count per second, minute or hour such as 50/m, or off")
        return cls(int(match[1]), {"s": 1, "m": 60, "h": 3600}[match[2]])


def whole(minimum: int) -> Callable[[str], int]:
    """Return a parser of whole numbers of at least `minimum`."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,18}", text) or int(text) < minimum:
            raise ValueError(f"expected a whole number of at least {minimum}")
        return int(text)

    return parse


def permissions(least: int, most: int) -> Callable[[str], int]:
    """Return a parser of permissions in octal digits, as chmod takes them.

    Args:
        least: what must be allowed, so that the service can go on working with it.
        most: all that may be allowed.
    """

    def parse(text: str) -> int:
        mode = int(text, 8) if re.fullmatch(r"[0-7]{3,5}", text) else 0
        if mode & least != least or mode & ~most:
            raise ValueError(f"expected octal digits that include {least:04o}, at most {most:04o}")
        return mode

    return parse


def one_of(*allowed: str) -> Callable[[str], str]:
    """Return a parser of the allowed words."""

    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"expected one of {', '.join(allowed)}")
        return text

    return parse


def limit_status(text: str) -> HTTPStatus:
    """Read the status of a request over a limit.

    412 is the original application's; 429 is the standard's (RFC 6585, section 4).
    """
    if text not in {"412", "429"}:
        raise ValueError("expected 412 or 429")
    return HTTPStatus(int(text))


def flag(text: str) -> bool:
    """Read 0 or 1."""
    return one_of("0", "1")(text) == "1"


def key(text: str) -> bytes:
    """Read a key: its UTF-8 bytes, unchanged.

    Raises:
        ValueError: it begins or ends with whitespace, such as a trailing newline. Whether that
            belongs to the key is a guess, and after a wrong guess no signature would match.
    """
    return exact(text).encode()


def exact(text: str) -> str:
    """Read a text in which every character counts, such as a password.

    Raises:
        ValueError: it begins or ends with whitespace.
    """
    if text != text.strip():
        raise ValueError("begins or ends with whitespace, such as a trailing newline")
    return text


EXACT = (key, exact)
"""Parsers of unchanged texts; for all others, whitespace around a text is removed."""


def folder(text: str) -> str:
    """Read a folder's path; `~` and `~user` at its beginning are the home folders.

    Raises:
        ValueError: there is no such user, or the path begins with a variable, which only a
            shell expands.
    """
    if re.match(r"\$\{?[A-Za-z_]", text):
        raise ValueError("expected a path; variables in it are not expanded")
    if not text.startswith("~"):
        return text
    try:
        return str(Path(text).expanduser())
    except RuntimeError:
        raise ValueError("no home folder of that name; ./ before it makes it literal") from None


def url(*schemes: str) -> Callable[[str], str]:
    """Return a parser of URLs with one of the schemes; those of http and https must name a host."""
    beginnings = " or ".join(f"{scheme}://" for scheme in schemes)

    def parse(text: str) -> str:
        scheme, _, rest = text.partition("://")
        if scheme.lower() not in schemes or not rest:
            raise ValueError(f"expected a URL that begins with {beginnings}")
        if re.search(r"\s", text):
            raise ValueError("expected a URL without whitespace")
        # URLs of databases and brokers may have several hosts or none, which their drivers check.
        if scheme.lower() in {"http", "https"}:
            try:
                parts = urlsplit(text)
                named = parts.hostname and parts.port != 0
            except ValueError:
                named = False
            if not named:
                raise ValueError(f"expected {beginnings} with a host, and a port from 1 to 65535")
        return text

    return parse


def webhook_secret(text: str) -> str:
    """Read a secret as Standard Webhooks has it ("Signature scheme"): `whsec_` and base64.

    Raises:
        ValueError: it is none, or not of 24 to 64 bytes.
    """
    expected = ValueError("expected whsec_ followed by 24 to 64 random bytes in base64")
    prefix, _, encoded = text.partition("_")
    if prefix != "whsec":
        raise expected
    try:
        size = len(base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True))
    except ValueError:
        raise expected from None
    if not MIN_WEBHOOK_SECRET <= size <= MAX_WEBHOOK_SECRET:
        raise expected
    return text


def bucket_name(text: str) -> str:
    """Read a bucket's name, by the old or new rules, or an access point's ARN."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{3,255}|arn:[!-~]+", text):
        raise ValueError("expected the name of a bucket")
    return text


def host_port(*schemes: str) -> Callable[[str], tuple[str, int]]:
    """Return a parser of `host:port`, or of a URL of one of the schemes with nothing else in it."""
    shown = " or ".join(("host:port", *(f"{scheme}://host:port" for scheme in schemes)))

    def parse(text: str) -> tuple[str, int]:
        scheme, separator, rest = text.partition("://")
        if separator and scheme.lower() not in schemes:
            raise ValueError(f"expected {shown}")
        place = rest.removesuffix("/") if separator else text
        host, _, port = place.rpartition(":")
        if not _is_host(host) or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 2**16:
            raise ValueError(f"expected {shown}, without user, password or path")
        return host.strip("[]"), int(port)

    return parse


def hosts_and_ports(*schemes: str) -> Callable[[str], tuple[tuple[str, int], ...]]:
    """Return a parser of one or several `host:port`, separated by commas.

    A scheme may precede the first one, as in `memcached://a:11211,b:11211`, or each of them.
    """
    parse_one = host_port(*schemes)

    def parse(text: str) -> tuple[tuple[str, int], ...]:
        beginning = f"{schemes[0]}://" if "://" in text else ""
        each = (item.strip() for item in text.split(","))
        urls = (item if "://" in item else f"{beginning}{item}" for item in each)
        return tuple(dict.fromkeys(map(parse_one, urls)))

    return parse


def host_maybe_port(text: str) -> str:
    """Read `host` or `host:port`."""
    if not _is_host(text):
        host_port()(text)
    return text


def is_address(host: str) -> bool:
    """Return whether a host is an IP address, rather than a name."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_host(text: str) -> bool:
    """Return whether a text is a host's name or address; an IPv6 address may be in brackets."""
    if re.fullmatch(r"[A-Za-z0-9._-]+", text):
        return True
    try:
        ipaddress.IPv6Address(text[1:-1] if text.startswith("[") and text.endswith("]") else text)
    except ValueError:
        return False
    return True


def networks(text: str) -> tuple[IpNetwork, ...]:
    """Read addresses and networks, separated by commas."""
    try:
        return tuple(ipaddress.ip_network(n.strip()) for n in text.split(",") if n.strip())
    except ValueError as error:
        raise ValueError(
            "expected addresses or networks separated by commas, such as 10.0.0.0/8"
        ) from error
