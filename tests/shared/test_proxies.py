from __future__ import annotations

import pytest

from shared.proxies import proxy_for

P, Q = "http://proxy.example:3128", "http://other.example:8080"
NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("variables", "url", "proxy"),
    [
        ({}, "https://s3.example/", None),
        ({"http_proxy": P}, "http://s3.example/", P),
        ({"HTTP_PROXY": P}, "http://s3.example/", P),
        ({"http_proxy": P}, "https://s3.example/", None),
        ({"https_proxy": P}, "https://s3.example/", P),
        ({"HTTPS_PROXY": P}, "https://s3.example/", P),
        ({"all_proxy": P}, "https://s3.example/", P),
        ({"ALL_PROXY": P}, "http://s3.example/", P),
        ({"all_proxy": P, "https_proxy": Q}, "https://s3.example/", Q),
        ({"http_proxy": P, "HTTP_PROXY": Q}, "http://s3.example/", P),
        ({"http_proxy": ""}, "http://s3.example/", None),
        ({"http_proxy": "proxy.example:3128"}, "http://s3.example/", P),
        ({"all_proxy": "socks5h://h:1080"}, "https://s3.example/", "socks5h://h:1080"),
        ({"http_proxy": P, "no_proxy": "s3.example"}, "http://s3.example/", None),
        ({"http_proxy": P, "NO_PROXY": ".example"}, "http://b.s3.example/", None),
        ({"http_proxy": P, "no_proxy": "example"}, "http://b.s3.example:9000/", None),
        ({"http_proxy": P, "no_proxy": "s3.example:9000"}, "http://s3.example:9000/", None),
        ({"http_proxy": P, "no_proxy": "s3.example:9000"}, "http://s3.example:9001/", P),
        ({"http_proxy": P, "no_proxy": "3.example"}, "http://s3.example/", P),
        ({"http_proxy": P, "no_proxy": "*"}, "http://s3.example/", None),
        ({"http_proxy": P, "no_proxy": "10.0.0.0/8, x"}, "http://10.1.2.3:9000/", None),
        ({"http_proxy": P, "no_proxy": "10.0.0.0/8"}, "http://11.1.2.3/", P),
        ({"http_proxy": P, "no_proxy": "fd00::/8"}, "http://[fd00::5]:9000/", None),
        ({"http_proxy": P, "ALL_PROXY": P}, "http://localhost:27006/", None),
        ({"http_proxy": P}, "http://app.LOCALHOST.:27006/", None),
        ({"http_proxy": P}, "http://127.0.0.1:27006/", None),
        ({"http_proxy": P}, "http://127.9.9.9/", None),
        ({"http_proxy": P}, "http://[::1]:27006/", None),
        ({"http_proxy": P}, "http://localhost.example/", P),
    ],
)
def test_the_environment_says_which_proxy(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], url: str, proxy: str | None
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(url) == proxy
