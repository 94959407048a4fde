"""The deployed stack as a client sees it: HTTP in front of sandboxes, a mapping, a schedule.

It stands for `./sync run` in the black-box tests: the same tests, the built packages.
"""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from local.http.invocation import HttpRequest, Invoker
from local.http.router import Router
from local.template import load
from shared.queue.rmq_event import Delivery, build
from tests.aws.conftest import Deployment
from tests.aws.exchange import SCHEDULE, waiting
from tests.aws.sandbox import Sandbox, TimedOut
from tests.aws.ways import function_name
from tests.helpers.service import Service
from tests.helpers.sqs import SqsQueues, event_of

SANDBOXES = 2
"""Sandboxes of a function behind HTTP, so that its requests meet."""

SCHEDULE_SECONDS = 1.0
RETRY_SECONDS = 60.0
"""A cold start on a busy machine may take longer than a function's own limit."""


class Pool:
    """Sandboxes of one function; each answers one event at a time."""

    def __init__(self, start: Callable[[], Sandbox], count: int) -> None:
        self._start = start
        self._free: queue.SimpleQueue[Sandbox] = queue.SimpleQueue()
        for _ in range(count):
            self._free.put(start())

    @contextmanager
    def one(self) -> Iterator[Sandbox]:
        sandbox = self._free.get()
        try:
            yield sandbox
        except TimedOut:
            # The platform has ended this one and starts another.
            sandbox = self._start()
            raise
        finally:
            self._free.put(sandbox)

    def __call__(self, event: dict[str, Any], context: Any) -> Any:
        seconds = context.get_remaining_time_in_millis() / 1000
        with self.one() as sandbox:
            return sandbox.invoke(event, seconds, max(seconds, RETRY_SECONDS))


class Cloud(Service):
    """The stack, running.

    Args:
        deployment: its functions and servers.
        port: that clients connect to.
        changes: environment variables that differ from the template's.
    """

    def __init__(self, deployment: Deployment, port: int, changes: dict[str, str]) -> None:
        super().__init__(deployment.folder, port, {})
        self.storage = deployment.storage
        self._deployment = deployment
        self._changes = changes
        self._sandboxes = ExitStack()
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def log(self) -> str:
        return "".join(p.read_text() for p in sorted(self.folder.glob("*.log")))

    def start(self) -> None:
        self._stopped.clear()
        template = load()
        names = {r.handler for r in template.routes}
        pools = {name: self._pool(name, SANDBOXES) for name in names if "admin" not in name}
        routes = [r for r in template.routes if r.handler in pools]
        invoker = Invoker(Router(routes, pools.__getitem__))
        self._server = _Server(("127.0.0.1", self.port), _Handler)
        self._server.invoker = invoker
        worker = self._pool(template.worker, 1)
        requeue = self._pool("functions.requeue.handler.handler", 1)
        self._threads = [
            threading.Thread(target=self._server.serve_forever, args=(0.05,)),
            threading.Thread(target=self._map, args=(worker, template)),
            threading.Thread(target=self._schedule, args=(requeue,)),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End everything; a kill ends the sandboxes in the middle of what they do."""
        if self._stopped.is_set():
            return 0
        self._stopped.set()
        if number == signal.SIGKILL:
            self._sandboxes.close()
        self._server.shutdown()
        for thread in self._threads:
            thread.join()
        self._server.server_close()
        self._sandboxes.close()
        return -signal.SIGKILL if number == signal.SIGKILL else 0

    def _pool(self, handler: str, count: int) -> Pool:
        name = function_name(handler)
        return Pool(
            lambda: self._sandboxes.enter_context(self._deployment.sandbox(name, **self._changes)),
            count,
        )

    def _map(self, worker: Pool, template: Any) -> None:
        """Do what the event source mapping does: one batch at a time, again after an error."""
        if self._deployment.queues:
            self._map_sqs(worker, template, self._deployment.queues)
            return
        batch: list[Delivery] = []
        while not self._stopped.is_set():
            batch = batch or waiting(self._deployment.rabbitmq_url, most=template.batch_size)
            if not batch:
                self._stopped.wait(0.05)
                continue
            try:
                with worker.one() as sandbox:
                    sandbox.invoke(build(batch), template.worker_seconds)
            except Exception:
                if not self._stopped.wait(0.5):
                    raise
                # Killed in the middle: an unacknowledged batch is the broker's again.
                return
            batch = []

    def _map_sqs(self, worker: Pool, template: Any, queues: SqsQueues) -> None:
        """Do what that of SQS does: delete all but what the response returns."""
        while not self._stopped.is_set():
            batch = queues.take(template.batch_size)
            if not batch:
                self._stopped.wait(0.05)
                continue
            try:
                with worker.one() as sandbox:
                    response = sandbox.invoke(event_of(batch), template.worker_seconds)
            except Exception:
                if not self._stopped.wait(0.5):
                    raise
                # Killed in the middle: the messages stay invisible for the visibility timeout.
                return
            queues.settle(batch, response)

    def _schedule(self, requeue: Pool) -> None:
        while not self._stopped.wait(SCHEDULE_SECONDS):
            try:
                with requeue.one() as sandbox:
                    sandbox.invoke(SCHEDULE)
            except Exception:
                if not self._stopped.is_set():
                    raise


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    invoker: Invoker


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65_537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        target: SplitResult = urlsplit(self.path)
        reply = self.server.invoker(
            HttpRequest(
                method=self.command,
                path=unquote(target.path),
                query=target.query,
                protocol=self.request_version,
                headers=[(k.lower(), v) for k, v in self.headers.items()],
                body=self._body(),
                peer=self.client_address[0],
            )
        )
        self.send_response(reply.status)
        for name, value in [*reply.headers, ("content-length", str(len(reply.body)))]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)
        self.wfile.flush()

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *_: object) -> None:
        pass
