r"""Which names a client may call the service by, against DNS rebinding.

A page of evil.example can have its own name resolve to 127.0.0.1, and then its scripts talk to
what listens there as if it were their own server. Only the `Host` header tells such a request from
others, so a request with a name that is not the service's is refused (RFC 9110, section 7.4). Names
that cannot be rebound are safe: `localhost` and what ends in `.localhost` (RFC 6761, section 6.3),
and addresses.

=========================  ==========================================================
entry                      allows
=========================  ==========================================================
(always)                   localhost, \*.localhost, 127.0.0.0/8, [::1]
``sync.example.com``       this name
``*.example.com``          every name below, not example.com itself
``10.1.2.3``, ``fd00::5``  this address
``0.0.0.0``, ``::``        every address: the service listens on all of the machine's
``*``                      everything
=========================  ==========================================================
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self

from local.addresses import LOOPBACK_HOSTS

LONGEST = 300
"""Characters of a host with its port; a name of the DNS has 253."""

_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:@/?#\[\]\\]+)(:[0-9]{0,5})?")
_NAME = re.compile(r"(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_ANY = "*"
_LOCALHOST = "localhost"

_ADDRESS_PATTERNS = (r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+", r"\[[0-9a-f:.]+\]")


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """The names and addresses of a service.

    Attributes:
        entries: as the table has them, names in lower case and without a dot at the end.
    """

    entries: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Self:
        """Read entries, each text one or several separated by commas.

        Raises:
            ValueError: one is neither a name nor an address.
        """
        parts = (part.strip() for text in texts for part in text.split(","))
        return cls(frozenset(_entry(part) for part in parts if part))

    def allows(self, authority: str) -> bool:
        """Return whether a client may call the service by a `Host` header, port or not."""
        if len(authority) > LONGEST:
            return False
        return _allows(self.entries, authority)

    @property
    def pattern(self) -> str:
        """The regular expression of nginx's `$host`, in lower case, for the same rule."""
        patterns = [LOOPBACK_HOSTS]
        for entry in sorted(self.entries):
            if entry == _ANY:
                return ".*"
            if entry in {"0.0.0.0", "::"}:  # noqa: S104 # compared, not bound
                patterns += _ADDRESS_PATTERNS
            elif entry.startswith("*."):
                patterns.append(r".+\." + re.escape(entry[2:]))
            else:
                patterns.append(re.escape(f"[{entry}]" if ":" in entry else entry))
        return "|".join(dict.fromkeys(patterns))


def _entry(text: str) -> str:
    if text == _ANY:
        return text
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        pass
    try:  # browsers send names with letters beyond ASCII in this form
        name = text.removesuffix(".").encode("idna").decode().lower()
    except UnicodeError:
        name = ""
    if not _NAME.fullmatch(name):
        raise ValueError(
            "expected names or addresses separated by commas, without scheme and port, such as"
            " sync.example.com, *.example.com or 10.1.2.3; * allows every name"
        )
    return name


@lru_cache(maxsize=256)
def _allows(entries: frozenset[str], authority: str) -> bool:
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        return False
    host = match[1].lower().removesuffix(".")
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return (
            _ANY in entries
            or host == _LOCALHOST
            or host.endswith(f".{_LOCALHOST}")
            or host in entries
            or any(f"*.{parent}" in entries for parent in _parents(host))
        )
    every = {_ANY, "0.0.0.0", "::"}  # noqa: S104 # compared, not bound
    return address.is_loopback or bool(entries & {*every, str(address)})


def _parents(name: str) -> Iterable[str]:
    labels = name.split(".")
    return (".".join(labels[start:]) for start in range(1, len(labels)))
