from __future__ import annotations

import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.http import client_address as module
from shared.http.client_address import client_address, limited_as


def documented() -> list[tuple[str, str, str, str]]:
    """Return the rows of the table in the docstring."""
    rows = []
    for line in (client_address.__doc__ or "").splitlines():
        cells = re.split(r"  +", line.strip())
        if len(cells) == 4 and not line.strip().startswith(("=", "peer")):
            peer, forwarded, trusted, client = ("" if c == "(nothing)" else c for c in cells)
            rows.append((peer, forwarded, trusted, client))
    return rows


@pytest.mark.parametrize(("peer", "forwarded", "trusted", "client"), documented())
def test_the_table_in_the_docstring_is_true(
    peer: str, forwarded: str, trusted: str, client: str
) -> None:
    networks = [] if trusted == "(none)" else [ipaddress.ip_network(trusted)]
    assert client_address(peer, forwarded, networks) == client


def test_the_table_is_read_whole() -> None:
    assert len(documented()) == 11
    assert module.__doc__


PRIVATE = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.2", None, "10.0.0.2"),
        ("10.0.0.2", "", "10.0.0.2"),
        ("10.0.0.2", ",", "10.0.0.2"),
        ("10.0.0.2", "1.2.3.4,,10.0.0.3", "10.0.0.3"),
        ("10.0.0.2", "1.2.3.4:80", "1.2.3.4"),
        ("10.0.0.2", "1.2.3.4:123456", "10.0.0.2"),
        ("10.0.0.2", "[fd00::5]:443, [2001:db8::1]:8443", "2001:db8::1"),
        ("10.0.0.2", "[2001:db8::1]", "2001:db8::1"),
        ("10.0.0.2", "2001:db8::1:443", "2001:db8::1:443"),
        ("10.0.0.2", "[1.2.3.4", "10.0.0.2"),
        ("10.0.0.2", "[]:1", "10.0.0.2"),
        ("10.0.0.2", "[fe80::1%eth0]:443", "10.0.0.2"),
        ("10.0.0.2", " 1.2.3.4 ", "1.2.3.4"),
        ("10.0.0.2", "10.0.0.4,10.0.0.3", "10.0.0.4"),
        ("fd00::1", "2001:db8::7, fd00::2", "2001:db8::7"),
        ("10.0.0.2", f"[{'0000:' * 5}ffff:255.255.255.255]:65535", "255.255.255.255"),
        ("10.0.0.2", "1" * 1_000, "10.0.0.2"),
        ("127.0.0.1", "1.2.3.4", "127.0.0.1"),
        ("not an address", "1.2.3.4", ""),
    ],
)
def test_only_the_word_of_trusted_proxies_counts(
    peer: str, forwarded: str | None, client: str
) -> None:
    assert client_address(peer, forwarded, PRIVATE) == client


@given(peer=st.sampled_from(["10.0.0.2", "9.9.9.9", "", "x"]), forwarded=st.none() | st.text())
def test_the_answer_can_always_be_part_of_a_cache_key(peer: str, forwarded: str | None) -> None:
    client = client_address(peer, forwarded, [*PRIVATE, ipaddress.ip_network("::/0")])
    assert re.fullmatch(r"[0-9a-f.:]{0,45}", client)


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:1::/64"),
        ("", ""),
    ],
)
def test_a_limit_counts_an_ipv6_site_and_an_ipv4_address(address: str, counted: str) -> None:
    assert limited_as(address) == counted
