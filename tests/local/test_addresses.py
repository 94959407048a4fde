from __future__ import annotations

import re

import pytest

from local.addresses import LOOPBACK_HOSTS, at, base_url, is_loopback, near


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.1", False),
        ("store.example", False),
        ("127.0.0.1.example", False),
        ("", False),
    ],
)
def test_only_loopback_addresses_keep_other_machines_out(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("localhost", True),
        ("sync.localhost", True),
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("[::1]", True),
        ("localhost.example", False),
        ("127.0.0.1.example", False),
        ("127.0.0", False),
        (".localhost", False),
        ("", False),
    ],
)
def test_names_of_this_machine_are_told_from_others(name: str, expected: bool) -> None:
    assert bool(re.fullmatch(LOOPBACK_HOSTS, name)) is expected


@pytest.mark.parametrize(
    ("host", "reached_at", "url"),
    [
        ("127.0.0.1", "127.0.0.1", "http://localhost:8000"),
        ("0.0.0.0", "127.0.0.1", "http://localhost:8000"),
        ("::", "::1", "http://[::1]:8000"),
        ("::1", "::1", "http://[::1]:8000"),
        ("192.0.2.1", "192.0.2.1", "http://192.0.2.1:8000"),
        ("localhost", "localhost", "http://localhost:8000"),
    ],
)
def test_a_server_has_an_address_for_this_machine(host: str, reached_at: str, url: str) -> None:
    assert near(host) == reached_at
    assert base_url(host, 8000) == url


def test_an_ipv6_address_with_a_port_is_in_brackets() -> None:
    assert at("::1", 80) == "[::1]:80"
    assert at("store.example", 80) == "store.example:80"
