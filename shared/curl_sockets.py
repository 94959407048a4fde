"""Many transfers of libcurl on one thread: a multi handle with its sockets on a selector."""

from __future__ import annotations

import selectors
import time
from typing import Any

import pycurl

SUPPRESS_CONNECT_HEADERS = 265
"""CURLOPT_SUPPRESS_CONNECT_HEADERS, which pycurl has no name for: a proxy's response to CONNECT is
not handed over as if it were the server's."""


class CurlSockets:
    """A multi handle, and what its transfers wait for; used by one thread.

    Args:
        connections: how many are kept.

    Attributes:
        multi: the handle.
    """

    def __init__(self, connections: int) -> None:
        self._deadline: float | None = None
        self._watched: int | None = None
        self._selector = selectors.DefaultSelector()
        self.multi = pycurl.CurlMulti()
        self.multi.setopt(pycurl.M_MAXCONNECTS, connections)
        self.multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self.multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)

    def watch(self, descriptor: int) -> None:
        """Let `step` end as well once there is something to read from a file descriptor."""
        self._watched = descriptor
        self._selector.register(descriptor, selectors.EVENT_READ)

    def step(self, seconds: float | None = None) -> bool:
        """Wait until there is something to do, and let libcurl do it.

        Args:
            seconds: the longest wait, None for no limit.

        Returns:
            Whether there is something to read from what is watched.
        """
        wait = seconds
        if self._deadline is not None:
            left = max(0.0, self._deadline - time.monotonic())
            wait = left if seconds is None else min(seconds, left)
        is_watched_ready = False
        for key, mask in self._selector.select(wait):
            if key.fd == self._watched:
                is_watched_ready = True
                continue
            bits = (pycurl.CSELECT_IN if mask & selectors.EVENT_READ else 0) | (
                pycurl.CSELECT_OUT if mask & selectors.EVENT_WRITE else 0
            )
            self.multi.socket_action(key.fd, bits)
        if self._deadline is not None and self._deadline <= time.monotonic():
            self._deadline = None
            self.multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        return is_watched_ready

    def close(self) -> None:
        """Close the handle, without a transfer by now, and its connections."""
        try:
            self.multi.close()
        finally:
            self._selector.close()

    def _on_socket(self, event: int, socket: int, _multi: Any, _data: Any) -> None:
        if event == pycurl.POLL_REMOVE:
            if socket in self._selector.get_map():
                self._selector.unregister(socket)
            return
        mask = (selectors.EVENT_READ if event & pycurl.POLL_IN else 0) | (
            selectors.EVENT_WRITE if event & pycurl.POLL_OUT else 0
        )
        if socket in self._selector.get_map():
            self._selector.modify(socket, mask)
        else:
            self._selector.register(socket, mask)

    def _on_timer(self, milliseconds: int) -> None:
        self._deadline = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000
