"""A virtual host of a test's own on the RabbitMQ that all tests share."""

from __future__ import annotations

import base64
import contextlib
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit


@contextlib.contextmanager
def virtual_host(details: dict[str, Any]) -> Iterator[str]:
    """Make a virtual host, yield its URL, and delete it.

    Args:
        details: of the server, see `tests.helpers.servers.ask`.
    """
    url = urlsplit(details["url"])
    vhost = f"test_{uuid.uuid4().hex}"
    login = base64.b64encode(f"{url.username}:{url.password}".encode()).decode()

    def manage(method: str, path: str, body: bytes = b"{}") -> None:
        request = urllib.request.Request(  # the address is our own server's
            f"{details['management']}/api/{path}",
            body,
            {"Authorization": f"Basic {login}", "Content-Type": "application/json"},
            method=method,
        )
        urllib.request.urlopen(request, timeout=60).close()  # as above

    manage("PUT", f"vhosts/{vhost}")
    everything = b'{"configure": ".*", "write": ".*", "read": ".*"}'
    manage("PUT", f"permissions/{vhost}/{quote(url.username or '')}", everything)
    yield f"{details['url'].rpartition('/')[0]}/{vhost}"
    manage("DELETE", f"vhosts/{vhost}")
