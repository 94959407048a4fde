"""A server of the Lambda Runtime API, as far as AWS's runtime client uses it.

The paths and headers are AWS's (Lambda developer guide, "Using the Lambda runtime API"). Answers
leave in one packet: written piecemeal, each invocation would wait 40 ms for a delayed
acknowledgement, twice.
"""

from __future__ import annotations

import json
import queue
import threading
import time
import uuid
from concurrent.futures import Future
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PREFIX = "/2018-06-01/runtime/"


class FunctionError(Exception):
    """The function ended with an error."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        super().__init__(f"{document.get('errorType')}: {document.get('errorMessage')}")


@dataclass
class Invocation:
    """One event on its way through a function.

    Attributes:
        payload: the event as JSON.
        deadline: seconds since 1970 at which the platform would stop the function.
        answer: the bytes that the function answered; raises `FunctionError`.
    """

    payload: bytes
    deadline: float
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    answer: Future[bytes] = field(default_factory=Future)


class RuntimeApi:
    """The Runtime API of one sandbox.

    Attributes:
        polls: how often the runtime has asked for its next event.
        failed_start: set when the runtime reports that the function could not be loaded.
    """

    def __init__(self) -> None:
        self.polls = 0
        self.polled = threading.Condition()
        self.failed_start: FunctionError | None = None
        self._waiting: queue.SimpleQueue[Invocation | None] = queue.SimpleQueue()
        self._taken: dict[str, Invocation] = {}
        self._sent: list[Invocation] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.api = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def address(self) -> str:
        """The value of `AWS_LAMBDA_RUNTIME_API`."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def send(self, event: object, seconds: float) -> Invocation:
        """Hands an event to the runtime as soon as it asks.

        Args:
            event: what is made JSON of.
            seconds: how long the function may take.
        """
        payload = json.dumps(event).encode()
        invocation = Invocation(payload, time.time() + seconds)
        self._sent = [i for i in self._sent if not i.answer.done()] + [invocation]
        self._waiting.put(invocation)
        return invocation

    def take(self) -> Invocation | None:
        """Wait for the next event; None at the end."""
        with self.polled:
            self.polls += 1
            self.polled.notify_all()
        invocation = self._waiting.get()
        if invocation:
            self._taken[invocation.request_id] = invocation
        return invocation

    def report(self, path: str, body: bytes) -> bool:
        """Take what the runtime reports; False where the path is none of the API's."""
        parts = path.removeprefix(PREFIX).split("/")
        match parts:
            case ["invocation", request_id, "response"] if request_id in self._taken:
                self._taken.pop(request_id).answer.set_result(body)
            case ["invocation", request_id, "error"] if request_id in self._taken:
                error = FunctionError(json.loads(body))
                self._taken.pop(request_id).answer.set_exception(error)
            case ["init", "error"]:
                with self.polled:
                    self.failed_start = FunctionError(json.loads(body))
                    self.polled.notify_all()
            case _:
                return False
        return True

    def close(self) -> None:
        """End the server and everything that waits for it."""
        ended = FunctionError({"errorType": "Runtime.ExitError", "errorMessage": "ended"})
        for invocation in self._sent:
            if not invocation.answer.done():
                invocation.answer.set_exception(ended)
        self._waiting.put(None)
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    api: RuntimeApi

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a sandbox that is ended takes its connection with it."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        if self.path != f"{PREFIX}invocation/next":
            self.send_error(404)
            return
        invocation = self.server.api.take()
        if invocation is None:
            self.close_connection = True
            return
        self._answer(
            200,
            invocation.payload,
            {
                "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
                "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": (
                    "arn:aws:lambda:eu-west-1:123456789012:function:under-test"
                ),
                "Lambda-Runtime-Trace-Id": "Root=1-67891233-abcdef012345678912345678;Sampled=0",
            },
        )

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        known = self.server.api.report(self.path, body)
        self._answer(202 if known else 404, b'{"status":"OK"}')

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
