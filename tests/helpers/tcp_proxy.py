"""A TCP proxy in front of a server: a test drops, refuses, resets, slows or holds up traffic."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import socket
import struct
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit, urlunsplit

T = TypeVar("T")

CHUNK_BYTES = 16_384
SLOW_CHUNK_BYTES = 1_024
SLOW_SECONDS = 0.05
"""Delay of every chunk on a slow network."""

ANSWER_SECONDS = 10.0
"""Limit on one change; the proxy's thread does nothing that takes long."""


class Condition(enum.Enum):
    """Condition of the network between client and server."""

    NORMAL = "normal"
    """Bytes pass."""
    SLOW = "slow"
    """Bytes pass in chunks of 1 KiB, each delayed by a twentieth of a second."""
    SILENT = "silent"
    """Connections stay open and new ones are accepted, but nothing passes."""
    RESET = "reset"
    """Open connections are reset, and so is every new one."""


class TcpProxy:
    """Forwards connections from a port of its own to a server; runs on one thread.

    Args:
        url: any URL with the host and port of the server, login and path included.
        port: where to listen on 127.0.0.1; 0 for any free port.
        bytes_per_second: the most that one connection passes in each direction; None for no limit.

    Attributes:
        port: where it listens.
        url: the server's URL with the proxy's address in place of the server's.
        connections: how many connections it has forwarded so far.
    """

    def __init__(self, url: str, port: int = 0, bytes_per_second: int | None = None) -> None:
        parts = urlsplit(url)
        self._server = _address(url)
        self.connections = 0
        self._bytes_per_second = bytes_per_second
        self._condition = Condition.NORMAL
        self._refusing = False
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._open: dict[asyncio.Task[Any], list[asyncio.StreamWriter]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._listener = self._run(self._listen(port))
        self.port = int(self._listener.sockets[0].getsockname()[1])
        login = parts.netloc.rpartition("@")[0]
        address = f"127.0.0.1:{self.port}"
        self.url = urlunsplit(parts._replace(netloc=f"{login}@{address}" if login else address))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def set_condition(self, condition: Condition) -> None:
        """Change the condition of the network at once, for open connections too."""
        self._run(self._set_condition(condition))

    def drop(self) -> int:
        """End every open connection with a FIN, as a server does that closes it; new ones pass.

        Returns:
            How many there were.
        """
        return self._run(self._end(reset=False))

    def reset(self) -> int:
        """Reset every open connection, as a firewall or a dying host does; new ones pass.

        Returns:
            How many there were.
        """
        return self._run(self._end(reset=True))

    def strand(self, url: str | None = None) -> None:
        """Let no open connection pass a byte ever again, as a lost host does; new ones pass.

        Args:
            url: of the server that new ones lead to; the same as before if not given.
        """
        self._run(self._strand(url))

    def refuse(self) -> None:
        """End every open connection with a FIN and refuse new ones, as a stopped server does."""
        self._run(self._refuse())

    def accept(self) -> None:
        """Accept connections again after `refuse`, on the same port."""
        self._refusing = False
        self._listener = self._run(self._listen(self.port))

    @property
    def open(self) -> int:
        """How many connections pass bytes now; none of those that were left to silence."""
        return 0 if self._condition is not Condition.NORMAL else len(self._open)

    def close(self) -> None:
        """End every connection, the listener and the thread."""
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(ANSWER_SECONDS)

    async def _listen(self, port: int) -> asyncio.Server:
        return await asyncio.start_server(self._forward, "127.0.0.1", port, limit=CHUNK_BYTES)

    async def _set_condition(self, condition: Condition) -> None:
        self._condition = condition
        if condition is Condition.SILENT:
            self._flowing.clear()
        else:
            self._flowing.set()
        if condition is Condition.RESET:
            await self._end(reset=True)

    async def _strand(self, url: str | None) -> None:
        if url:
            self._server = _address(url)
        flows = self._flowing.is_set()
        self._flowing.clear()  # for good: the connections that are open wait for this one
        self._flowing = asyncio.Event()
        if flows:
            self._flowing.set()

    async def _refuse(self) -> None:
        self._refusing = True
        self._listener.close()
        await self._end(reset=False)

    async def _close(self) -> None:
        await self._refuse()
        # Connections that were accepted this moment, and are not among the open ones yet.
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _end(self, *, reset: bool) -> int:
        tasks = list(self._open)
        for writers in self._open.values():
            for writer in writers:
                _reset(writer) if reset else _finish(writer)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return len(tasks)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        writers = self._open.setdefault(task, [writer])
        flowing = self._flowing
        try:
            if self._refusing:  # accepted just before the listener was closed
                return
            await flowing.wait()
            if self._condition is Condition.RESET:
                _reset(writer)
                return
            there, back = await asyncio.open_connection(*self._server, limit=CHUNK_BYTES)
            writers.append(back)
            self.connections += 1
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, back, flowing))
                both.create_task(self._pass(there, writer, flowing))
            for each in writers:
                each.close()
                await each.wait_closed()  # everything is sent by then
        except* OSError:  # one side reset the connection, or there is no server
            for each in writers:
                _reset(each)
        except* asyncio.CancelledError:  # by `_end`; asyncio would log it as a failure
            pass
        finally:
            del self._open[task]
            for each in writers:
                each.transport.abort()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flowing: asyncio.Event
    ) -> None:
        while data := await reader.read(self._chunk_bytes):
            await flowing.wait()
            if self._condition is Condition.SLOW:
                await asyncio.sleep(SLOW_SECONDS)
            elif self._bytes_per_second is not None:
                await asyncio.sleep(len(data) / self._bytes_per_second)
            writer.write(data)
            await writer.drain()
        await flowing.wait()
        with contextlib.suppress(OSError):
            writer.write_eof()

    @property
    def _chunk_bytes(self) -> int:
        return SLOW_CHUNK_BYTES if self._condition is Condition.SLOW else CHUNK_BYTES


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 0


def _finish(writer: asyncio.StreamWriter) -> None:
    """Send a FIN at once, whatever is still to be sent."""
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a RST."""
    with contextlib.suppress(OSError):  # it is closed already
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
    writer.transport.abort()
