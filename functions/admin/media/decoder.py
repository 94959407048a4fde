"""Decoding images in a process of their own, one at a time, within limits of memory and time."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from shared.deadline import within
from shared.errors import FileUnreadable

PROGRAM = "functions.admin.media.shrink"

REQUEST = struct.Struct("!HB")
ANSWER = struct.Struct("!?I")
"""As the program has them; importing it would import the decoders."""

MEMORY_BYTES = 1024 * 1024 * 1024
"""Address space of the process: libraries, an image of 50 million pixels and its copies."""

SECONDS = 15.0
"""Limit for one image. A large one takes about two."""

WAIT_SECONDS = 20.0
"""Longest wait for the images before it; a request that waits holds a thread."""


class Decoder:
    """Makes images smaller, in a process that is started when it is first needed.

    Args:
        formats: Pillow's names of the formats that are decoded.
        memory: bytes of address space for the process.
        seconds: for one image, after which the process is replaced.
        wait_seconds: for the images before it.
    """

    def __init__(
        self,
        formats: Sequence[str],
        *,
        memory: int = MEMORY_BYTES,
        seconds: float = SECONDS,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self._formats = tuple(formats)
        self._memory = memory
        self._seconds = seconds
        self._wait_seconds = wait_seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        """The process's id, or None while there is none."""
        return self._process.pid if self._process else None

    def shrink(self, image: int, side: int, quality: int) -> bytes:
        """Return an image as WebP, upright, within a square of `side` pixels.

        Args:
            image: descriptor of its file, at its beginning.
            side: pixels of the square's sides.
            quality: of the WebP, from 0 to 100.

        Raises:
            FileUnreadable: it is no image, or takes too much memory or time.
        """
        if not self._lock.acquire(timeout=within(self._wait_seconds)):
            raise FileUnreadable("too many images are waiting for their thumbnails; try again")
        try:
            done, content = self._ask(image, REQUEST.pack(side, quality))
        except (OSError, EOFError) as error:
            self._end()
            slow = isinstance(error, TimeoutError)
            reason = "the image takes too long to decode" if slow else "the decoder ended"
            raise FileUnreadable(reason) from error
        finally:
            self._lock.release()
        if not done:
            raise FileUnreadable(content.decode())
        return content

    def close(self) -> None:
        """End the process; a later image starts a new one."""
        with self._lock:
            self._end()

    def _ask(self, image: int, request: bytes) -> tuple[bool, bytes]:
        if self._process and self._process.poll() is not None:
            self._end()
        link = self._link or self._start()
        deadline = time.monotonic() + within(self._seconds)
        socket.send_fds(link, [request], [image])
        done, size = ANSWER.unpack(_receive(link, ANSWER.size, deadline))
        return done, _receive(link, size, deadline)

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # the arguments are this module's own
                [sys.executable, "-m", PROGRAM, str(self._memory), *self._formats],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                # Where this process finds the packages; on Lambda that is no place of Python's.
                env={"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        self._link = ours
        return ours

    def _end(self) -> None:
        if self._link:
            self._link.close()
        if self._process:
            self._process.kill()
            self._process.wait()
        self._link = self._process = None


def _receive(link: socket.socket, size: int, deadline: float) -> bytes:
    received = bytearray()
    while len(received) < size:
        link.settimeout(max(0.001, deadline - time.monotonic()))
        piece = link.recv(size - len(received))
        if not piece:
            raise EOFError
        received += piece
    return bytes(received)
