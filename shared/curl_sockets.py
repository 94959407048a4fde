"""Many transfers of libcurl on one thread: a multi handle with its sockets polled."""

from __future__ import annotations

import math
import select
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
        # For each request libcurl names its socket once and takes it back. That costs a system call
        # each with epoll, and none here; the sockets are few, so waiting for them costs little.
        self._poll = select.poll()
        self._wanted: dict[int, int] = {}  # what each socket waits for
        self.multi = pycurl.CurlMulti()
        self.multi.setopt(pycurl.M_MAXCONNECTS, connections)
        self.multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self.multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)

    def watch(self, descriptor: int) -> None:
        """Let `step` end as well once there is something to read from a file descriptor."""
        self._watched = descriptor
        self._poll.register(descriptor, select.POLLIN)

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
        for socket, events in self._poll.poll(None if wait is None else math.ceil(wait * 1000)):
            if socket == self._watched:
                is_watched_ready = True
                continue
            # A fault (POLLERR, POLLHUP) lets libcurl try what it waits for, and find it.
            wanted = self._wanted.get(socket, 0)
            bits = pycurl.CSELECT_IN if wanted & select.POLLIN and events & ~select.POLLOUT else 0
            if wanted & select.POLLOUT and events & ~select.POLLIN:
                bits |= pycurl.CSELECT_OUT
            self.multi.socket_action(socket, bits)
        if self._deadline is not None and self._deadline <= time.monotonic():
            self._deadline = None
            self.multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        return is_watched_ready

    def close(self) -> None:
        """Close the handle, without a transfer by now, and its connections."""
        self.multi.close()

    def _on_socket(self, event: int, socket: int, _multi: Any, _data: Any) -> None:
        if event == pycurl.POLL_REMOVE:
            if self._wanted.pop(socket, None) is not None:
                self._poll.unregister(socket)
            return
        wanted = (select.POLLIN if event & pycurl.POLL_IN else 0) | (
            select.POLLOUT if event & pycurl.POLL_OUT else 0
        )
        self._wanted[socket] = wanted
        self._poll.register(socket, wanted)

    def _on_timer(self, milliseconds: int) -> None:
        self._deadline = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000
