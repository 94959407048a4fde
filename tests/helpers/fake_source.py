"""A source whose objects a test lays down; it passes the contract of every `ObjectSource`."""

from __future__ import annotations

import dataclasses
import hashlib
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from shared.domain import Fetched, Wanted
from shared.errors import ObjectNotVisible, OutOfTime, TransferError
from shared.sources.outcome import settle
from shared.storage.os_errors import from_os_error


@dataclasses.dataclass
class Hangs:
    """A copy that waits until it is cancelled.

    Attributes:
        begun: it has written a part by then, which it keeps as one that can be continued.
        proven: bytes that this attempt proves, with those of earlier ones.
    """

    begun: bool = False
    proven: int = 0


class FakeSource:
    """An `ObjectSource` without a server.

    An object is its bytes, the error that its copy ends with, `Hangs` for a copy that waits until
    it is cancelled, or a callable that returns one of these.

    Attributes:
        objects: by file name.
        fetched: file name and attempt of each copy, in their order.
        cancelled: the file names of copies that were cancelled.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}
        self.fetched: list[tuple[str, int]] = []
        self.cancelled: list[str] = []
        self._hanging: set[Future[Fetched]] = set()
        self._closed = False

    def warm_up(self) -> None:
        """Do nothing: there is nothing to load."""

    def fetch(self, wanted: Wanted, part: Path) -> Future[Fetched]:
        """See `ObjectSource.fetch`."""
        self.fetched.append((wanted.file_name, wanted.attempt))
        future: Future[Fetched] = Future()
        if self._closed:
            future.set_exception(OutOfTime("the source is closed"))
            return future
        held = self.objects.get(wanted.file_name, ObjectNotVisible("404"))
        content = held() if callable(held) else held
        if isinstance(content, Hangs):
            wanted.progress.begun = content.begun
            wanted.progress.proven = content.proven
            if content.begun:
                part.write_bytes(b"the first bytes")
            self._hanging.add(future)
            future.add_done_callback(lambda _: self._end(wanted, future))
        elif isinstance(content, BaseException):
            future.set_exception(content)
        else:
            settle(future, _copy(content, part))
        return future

    def close(self) -> None:
        """See `ObjectSource.close`."""
        self._closed = True
        for future in list(self._hanging):
            settle(future, OutOfTime("the source is closed"))

    def _end(self, wanted: Wanted, future: Future[Fetched]) -> None:
        self._hanging.discard(future)
        if future.cancelled():
            self.cancelled.append(wanted.file_name)
            future.set_running_or_notify_cancel()


def _copy(content: bytes, part: Path) -> Fetched | TransferError:
    try:
        part.write_bytes(content)
    except OSError as error:
        return from_os_error(error)
    digest = hashlib.sha256(content).digest()
    return Fetched(len(content), digest, digest.hex()[:32], "md5")
