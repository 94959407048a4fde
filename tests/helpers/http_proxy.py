"""A real HTTP proxy: CONNECT tunnels and plain requests, with refusals to order."""

from __future__ import annotations

import http.client
import http.server
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

SECONDS = 10


@dataclass
class HttpProxy:
    """What a proxy was asked.

    Attributes:
        url: of the proxy.
        seen: method and target of each request, such as ("CONNECT", "host:443").
        refusal: the status to answer everything with, None to pass it on.
    """

    url: str
    seen: list[tuple[str, str]] = field(default_factory=list)
    refusal: int | None = None


@contextmanager
def http_proxy(address: tuple[str, int]) -> Iterator[HttpProxy]:
    """Runs a proxy whose every request, whatever it is for, ends at one address.

    Args:
        address: stands for the whole internet.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = SECONDS

        def refused(self) -> bool:
            proxy.seen.append((self.command, self.path))
            self.close_connection = True
            if proxy.refusal is None:
                return False
            self.send_response(proxy.refusal)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return True

        def do_CONNECT(self) -> None:
            if self.refused():
                return
            with socket.create_connection(address, timeout=SECONDS) as there:
                self.send_response(200)
                self.end_headers()
                pump(self.connection, there)

        def do_GET(self) -> None:
            if self.refused():
                return
            parts = urlsplit(self.path)
            there = http.client.HTTPConnection(*address, timeout=SECONDS)
            there.request(
                self.command,
                parts._replace(scheme="", netloc="").geturl() or "/",
                self.rfile.read(int(self.headers["Content-Length"] or 0)),
                dict(self.headers.items()),
            )
            answer = there.getresponse()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.read())
            there.close()

        do_HEAD = do_PUT = do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Keeps quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    proxy = HttpProxy(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def pump(one: Any, other: Any) -> None:
    """Passes bytes on both ways until one side closes."""
    while True:
        for side in select.select([one, other], [], [], SECONDS)[0]:
            data = side.recv(65_536)
            if not data:
                return
            (other if side is one else one).sendall(data)
