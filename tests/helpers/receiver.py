"""A real HTTP(S) receiver of callbacks, which answers as it is told and remembers what it got."""

from __future__ import annotations

import http.server
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECONDS = 30


@dataclass(frozen=True)
class Post:
    """One request.

    Attributes:
        path: with its query.
        headers: by name in lower case.
        body: as it came.
        peer: port of the connection's other end.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes
    peer: int

    @property
    def name(self) -> str:
        """The object's."""
        return str(json.loads(self.body)["data"]["file_name"])

    @property
    def message_id(self) -> str:
        """Idempotency key."""
        return self.headers["webhook-id"]


@dataclass(frozen=True)
class Reply:
    """How a request is answered.

    Attributes:
        status: of the response; 0 closes the connection without one.
        headers: more of them.
        body: of the response.
        endless: repeat the body until the other end has closed.
        hold: seconds before the response, or until the receiver is closed.
        hold_body: as `hold`, between head and body.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    endless: bool = False
    hold: float = 0.0
    hold_body: float = 0.0


@dataclass
class Receiver:
    """What a receiver was sent.

    Attributes:
        url: where it listens.
        answer: decides about each request.
        posts: all of them, in the order of their arrival.
        cut_off: number of endless bodies that the other end did not take.
    """

    url: str
    answer: Callable[[Post], Reply] = lambda _: Reply()
    posts: list[Post] = field(default_factory=list)
    cut_off: int = 0

    @property
    def names(self) -> list[str]:
        """Names of the objects that it was told of."""
        return [post.name for post in self.posts]


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a connection that broke: tests break them."""


@contextmanager
def receiver(
    answer: Callable[[Post], Reply] = lambda _: Reply(),
    *,
    port: int = 0,
    certificate: tuple[Path, Path] | None = None,
) -> Iterator[Receiver]:
    """Run a receiver on this machine.

    Args:
        answer: decides about each request.
        port: where it listens, 0 for any.
        certificate: its file and its key's, for HTTPS.
    """
    closing = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = SECONDS
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            post = Post(self.path, headers, body, self.client_address[1])
            running.posts.append(post)
            reply = running.answer(post)
            closing.wait(reply.hold)
            if not reply.status:
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.endless:
                self.close_connection = True
            else:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if reply.hold_body:
                self.wfile.flush()
                closing.wait(reply.hold_body)
            self.wfile.write(reply.body)
            while reply.endless and not closing.is_set():
                try:
                    self.wfile.write(reply.body)
                except OSError:
                    running.cut_off += 1
                    return

        def do_GET(self) -> None:
            running.posts.append(Post(f"GET {self.path}", {}, b"", 0))
            self.send_error(405)

        def log_message(self, *_: object) -> None:
            """Say nothing: the requests are looked at."""

    server = _Server(("127.0.0.1", port), Handler)
    scheme = "http"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        scheme = "https"
    running = Receiver(f"{scheme}://127.0.0.1:{server.server_port}/hook", answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield running
    finally:
        closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def closed_port() -> int:
    """Return a port of this machine that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
