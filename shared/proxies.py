"""Which HTTP proxy leads to a server: one answer for boto3, libcurl, requests and urllib alike.

Each of them reads the environment by rules of its own: libcurl takes `http_proxy` in lower case
alone, boto3 does not know `all_proxy`, and none of them spares servers of this machine. So it is
read here, and each is told.
"""

from __future__ import annotations

import ipaddress
import urllib.request
from urllib.parse import urlsplit

from shared.config.settings import environment

LOOPBACK_NAME = "localhost"
PROXY_LOGIN = 407
"""The one status that only a proxy answers (RFC 9110, section 15.5.8)."""


def proxy_for(url: str) -> str | None:
    r"""Return the URL of the proxy that requests for a URL go through, None where they go directly.

    ============================================  =======================================
    requests for                                  proxy
    ============================================  =======================================
    localhost, \*.localhost, a loopback address   never one
    what no_proxy or NO_PROXY names               none
    http://…                                      http_proxy, HTTP_PROXY
    https://…                                     https_proxy, HTTPS_PROXY
    either, without one of these                  all_proxy, ALL_PROXY
    ============================================  =======================================

    A name in lower case beats the same in upper case. `no_proxy` has names, which stand for those
    below them too, with or without a port, addresses, networks such as 10.0.0.0/8, or `*`.

    Args:
        url: of the request, http or https.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_this_machine(host):
        return None
    proxy = _variable(parts.scheme) or _variable("all")
    if not proxy or _spared(host, parts.port, _variable("no")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def is_this_machine(host: str) -> bool:
    """Return whether only this machine can be meant by a host."""
    name = host.lower().removesuffix(".")
    if name == LOOPBACK_NAME or name.endswith(f".{LOOPBACK_NAME}"):
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def is_private(host: str) -> bool:
    """Return whether a host is this machine, or an address of a private network."""
    address = _address(host)
    return is_this_machine(host) or (address is not None and address.is_private)


def _variable(kind: str) -> str:
    """Return the value of a proxy variable, in lower case if it is set so, even if it is empty.

    The variables are looked up by name: `urllib.request.getproxies` walks through all of them and
    fails if another thread removes one meanwhile.
    """
    variables = environment()
    name = f"{kind}_proxy"
    if name in variables:
        return variables[name]
    # A CGI server sets HTTP_PROXY from a client's header Proxy (CVE-2016-5385).
    if kind == "http" and "REQUEST_METHOD" in variables:
        return ""
    return variables.get(name.upper(), "")


def _spared(host: str, port: int | None, no_proxy: str) -> bool:
    place = f"{host}:{port}" if port else host
    if urllib.request.proxy_bypass_environment(place, {"no": no_proxy}):  # type: ignore[attr-defined]
        return True
    address = _address(host)
    if address is None:
        return False
    for entry in no_proxy.split(","):
        try:
            if address in ipaddress.ip_network(entry.strip(), strict=False):
                return True
        except ValueError:  # a name
            continue
    return False


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
