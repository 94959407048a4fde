from __future__ import annotations

import re

import pytest

from local.allowed_hosts import AllowedHosts

LISTED = "sync.example.com, *.apps.example.com,10.1.2.3, fd00::5,Müller.example"
ON_LOOPBACK = AllowedHosts.parse(["127.0.0.1"])
ON_ALL = AllowedHosts.parse(["0.0.0.0", LISTED])
ON_ALL_6 = AllowedHosts.parse(["::"])
ON_ONE = AllowedHosts.parse(["10.1.2.3", ""])

ALWAYS = [
    "localhost",
    "localhost:27000",
    "LocalHost",
    "localhost.",
    "localhost.:80",
    "app.localhost:1",
    "127.0.0.1",
    "127.0.0.1:27000",
    "127.1.2.3",
    "[::1]",
    "[::1]:27000",
]
NEVER = [
    "evil.example",
    "evil.example:27000",
    "localhost.evil.example",
    "127.0.0.1.nip.io",
    "notlocalhost",
    "evil.example.",
    "localhost@evil.example",
    "evil.example/localhost",
    "localhost, evil.example",
    "localhost evil.example",
    "localhost#evil.example",
    "evil.example\\localhost",
    "apps.example.com",
    "evil-sync.example.com",
    "sync.example.com.evil.example",
    "10.1.2.3.evil.example",
    "10x1y2z3.example",
    "1.2.3.4.5",
    "[::1].evil.example",
    "[evil.example]",
    "x" * 301,
]


@pytest.mark.parametrize("hosts", [ON_LOOPBACK, ON_ALL, ON_ONE, AllowedHosts()])
def test_the_rule_holds_wherever_the_service_listens(hosts: AllowedHosts) -> None:
    assert [host for host in ALWAYS if not hosts.allows(host)] == []
    assert [host for host in NEVER if hosts.allows(host)] == []
    assert not hosts.allows("")
    assert not hosts.allows(":27000")


@pytest.mark.parametrize(
    ("hosts", "host", "allowed"),
    [
        (ON_LOOPBACK, "10.1.2.3", False),
        (ON_LOOPBACK, "0.0.0.0", False),
        (ON_LOOPBACK, "[fd00::5]:1", False),
        (ON_LOOPBACK, "sync.example.com", False),
        (ON_ONE, "10.1.2.3:27000", True),
        (ON_ONE, "10.1.2.4", False),
        (ON_ALL, "192.0.2.7:27000", True),
        (ON_ALL, "[fd00::7]", True),
        (ON_ALL_6, "192.0.2.7", True),
        (ON_ALL, "sync.example.com", True),
        (ON_ALL, "SYNC.example.com.:443", True),
        (ON_ALL, "a.apps.example.com", True),
        (ON_ALL, "a.b.apps.example.com", True),
        (ON_ALL, "xn--mller-kva.example", True),  # as browsers send it
        (AllowedHosts.parse(["*"]), "evil.example", True),
        (AllowedHosts.parse(["*"]), "192.0.2.7", True),
        (AllowedHosts.parse(["*"]), "no host", False),
        (AllowedHosts.parse(["[FD00::5]"]), "[fd00:0::5]", True),
    ],
)
def test_what_is_listed_is_allowed(hosts: AllowedHosts, host: str, allowed: bool) -> None:
    assert hosts.allows(host) is allowed


@pytest.mark.parametrize(
    "text",
    [
        "http://a",
        "a:80",
        "a/b",
        "a b",
        "*a",
        "a.*",
        "*.*",
        "a@b",
        ".a",
        "a..b",
        "[a]",
        "10.0.0.0/8",
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected names or addresses"):
        AllowedHosts.parse([f"ok.example,{text}"])


def as_nginx_has_it(authority: str) -> str | None:
    """Give `$host`: in lower case, without port and dot at its end."""
    match = re.fullmatch(r"(\[[^\]]*\]|[^:@/?#\s\[\]\\,]+)(?::\d*)?", authority)
    return match[1].lower().removesuffix(".") if match else None


@pytest.mark.parametrize("hosts", [ON_LOOPBACK, ON_ALL, ON_ONE, ON_ALL_6, AllowedHosts()])
def test_nginx_has_the_same_rule(hosts: AllowedHosts) -> None:
    asked = [*ALWAYS, *NEVER[:-1], "10.1.2.3", "[fd00::5]", "192.0.2.7", "a.apps.example.com"]
    for host in asked:
        shown = as_nginx_has_it(host)
        if shown is not None:
            matched = re.fullmatch(f"({hosts.pattern})", shown) is not None
            assert matched is hosts.allows(host), host
