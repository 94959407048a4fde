"""Counts round trips: a relay between a client and a server that sees who speaks when."""

from __future__ import annotations

import selectors
import socket
import threading
from typing import Self

LOOPBACK = "127.0.0.1"
_PIECE = 65_536
_LOOK_SECONDS = 0.05


class Relay:
    """Passes the bytes of one connection on; a context manager.

    Args:
        port: of the server, on 127.0.0.1.

    Attributes:
        round_trips: how often the client spoke after the server had, or first of all.
    """

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._listener = socket.create_server((LOOPBACK, 0))
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._ending = threading.Event()
        self.round_trips = 0

    @property
    def port(self) -> int:
        """Where the client connects to, on 127.0.0.1."""
        port: int = self._listener.getsockname()[1]
        return port

    def __enter__(self) -> Self:
        """Start to listen."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close both connections."""
        self._ending.set()
        self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        self._listener.settimeout(_LOOK_SECONDS)
        while not self._ending.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            with client, socket.create_connection((LOOPBACK, self._server_port)) as server:
                self._pass_on(client, server)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        clients_turn = True
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ)
            selector.register(server, selectors.EVENT_READ)
            while not self._ending.is_set():
                for key, _ in selector.select(_LOOK_SECONDS):
                    source, target = (client, server) if key.fileobj is client else (server, client)
                    piece = source.recv(_PIECE)
                    if not piece:
                        return
                    if source is client and clients_turn:
                        self.round_trips += 1
                    clients_turn = source is server
                    target.sendall(piece)
