"""A broker whose frames no client library reads: threads fail, and are started again."""

from __future__ import annotations

import contextlib
import socketserver
import struct
import threading
import time
from collections.abc import Iterator

import pytest

from shared.queue.rabbitmq.topology import QUEUE
from tests.faults.harness.arena import Arena
from tests.helpers.waiting import until

AWAY_SECONDS = 8.0
BACK_SECONDS = 10.0

# The header of an AMQP client (0-9-1, section 4.2.2), which is answered by connection.start.
HEADER_BYTES = 8
MILLISECONDS = 1_700_000_000_000
"""Of a time, where AMQP has seconds: the year 55840, which Python's dates do not have."""


def connection_start() -> bytes:
    """Return a frame of connection.start whose properties of the server hold such a time."""
    field = b"\x04timeT" + struct.pack(">Q", MILLISECONDS)
    properties = struct.pack(">I", len(field)) + field
    texts = b"".join(struct.pack(">I", len(text)) + text for text in (b"PLAIN", b"en_US"))
    payload = struct.pack(">HHBB", 10, 10, 0, 9) + properties + texts
    return struct.pack(">BHI", 1, 0, len(payload)) + payload + b"\xce"


class _Broken(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(OSError):
            if self.rfile.read(HEADER_BYTES):
                self.wfile.write(connection_start())
                self.rfile.read(1)


@contextlib.contextmanager
def broken_broker() -> Iterator[str]:
    """Run such a broker; yield its URL."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Broken) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"amqp://127.0.0.1:{server.server_address[1]}/{QUEUE}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.faults
def test_work_goes_on_after_a_broker_that_cannot_be_understood(arena: Arena) -> None:
    proxy = arena.stack.servers.rabbitmq.proxy
    with broken_broker() as broken, arena.trial("broker that cannot be understood") as trial:
        with trial.load():
            time.sleep(1)
            before = proxy.connections
            proxy.strand(broken)
            proxy.reset()
            time.sleep(AWAY_SECONDS)
            assert proxy.connections - before >= 4  # publisher and consumer both came again
            proxy.strand(arena.stack.servers.broker_url)
            proxy.reset()
            trial.back()
            time.sleep(1)
        assert trial.recovery is not None
        assert trial.recovery < BACK_SECONDS
        until(lambda: all(s.deaths == 0 for s in arena.stack.services), "no process to have died")
