"""A TCP proxy that cuts, freezes and slows what goes through it."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import socket
import struct
import threading
from collections.abc import Coroutine
from typing import Any

CHUNK = 16_384


class Weather(enum.Enum):
    """What happens to bytes."""

    FAIR = "fair"
    """They pass."""
    SLOW = "slow"
    """They pass, every piece of 1 KiB a twentieth of a second late."""
    FROZEN = "frozen"
    """Connections stay and are taken, nothing passes."""
    CUT = "cut"
    """Connections are reset, and new ones as well."""


class Proxy:
    """Stands between the service and one server; runs on a thread of its own.

    Args:
        port: where it listens on 127.0.0.1.
        target: the server's port.
    """

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._weather = Weather.FAIR
        self._fair = asyncio.Event()
        self._fair.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server: asyncio.Server = self._ask(
            asyncio.start_server(self._serve, "127.0.0.1", port, limit=CHUNK)
        )

    def turn(self, weather: Weather) -> None:
        """Changes the weather, at once and for connections that are open too."""
        self._ask(self._turn(weather))

    def reset(self) -> None:
        """Resets what is open; new connections pass."""
        self._ask(self._reset())

    def close(self) -> None:
        """Ends everything."""
        self._ask(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _ask(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _turn(self, weather: Weather) -> None:
        self._weather = weather
        if weather is Weather.FROZEN:
            self._fair.clear()
        else:
            self._fair.set()
        if weather is Weather.CUT:
            await self._reset()

    async def _reset(self) -> None:
        for writer in list(self._writers):
            _abort(writer)

    async def _close(self) -> None:
        self._server.close()
        self._fair.set()
        await self._reset()
        others = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._fair.wait()
            if self._weather is Weather.CUT:
                return
            there, back = await asyncio.open_connection("127.0.0.1", self._target, limit=CHUNK)
            self._writers.add(back)
            try:
                await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
            finally:
                self._writers.discard(back)
                _abort(back)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._writers.discard(writer)
            _abort(writer)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1024 if self._weather is Weather.SLOW else CHUNK):
            await self._fair.wait()
            if self._weather is Weather.SLOW:
                await asyncio.sleep(0.05)
            writer.write(data)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()


def _abort(writer: asyncio.StreamWriter) -> None:
    """Closes with a reset, as a firewall or a dying host does."""
    connection = writer.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
