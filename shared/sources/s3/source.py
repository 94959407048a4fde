"""Objects from S3, or from any server that speaks its protocol."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path

from shared.config.settings import Settings
from shared.domain import Fetched, Wanted
from shared.errors import OutOfTime, TransferError
from shared.sources.comparison import EtagMismatch
from shared.sources.outcome import settle
from shared.sources.s3.control import Controls
from shared.sources.s3.download import Download
from shared.sources.s3.location import Location
from shared.sources.s3.resources import SPARE_CONNECTIONS, Resources
from shared.sources.s3.transport import Transport
from shared.storage.reading import StorageReader


class S3Source:
    """Copies objects of one bucket; see `shared.sources.s3.download` for how.

    Args:
        settings: the bucket, how it is reached, and the limits.

    Raises:
        SettingError: see `Location`.
    """

    def __init__(self, settings: Settings) -> None:
        location = Location(settings)
        self._grace = timedelta(seconds=settings.missing_object_seconds)
        self._limit = settings.sync_concurrency
        transport = Transport(self._limit + SPARE_CONNECTIONS, settings.source_stall_seconds)
        self._resources = Resources(
            location,
            transport,
            Controls(transport),
            etag_mismatch=EtagMismatch(settings.etag_mismatch),
            reader=StorageReader(settings.storage_path) if settings.storage_path else None,
        )
        # Of the transport's thread alone:
        self._futures: dict[Download, Future[Fetched]] = {}
        self._waiting: deque[Download] = deque()
        self._running: set[Download] = set()
        self._closing = False
        self._idle = threading.Event()

    def warm_up(self) -> None:
        """Load boto3, which takes half a second of one core, and look for credentials."""
        with contextlib.suppress(TransferError):
            self._resources.location.signed_url("")

    def fetch(self, wanted: Wanted, part: Path) -> Future[Fetched]:
        """See `ObjectSource.fetch`; without `warm_up` the first call loads boto3."""
        future: Future[Fetched] = Future()
        if self._closing:
            future.set_exception(OutOfTime("the worker is shutting down"))
            return future
        try:
            target = self._resources.location.signed_url(wanted.file_name)
        except TransferError as error:
            future.set_exception(error)
            return future
        within_grace = wanted.claimed_at - wanted.queued_at <= self._grace
        download = Download(
            self._resources, wanted, part, target, self._ended, within_grace=within_grace
        )
        self._resources.transport.call(lambda: self._accept(download, future))
        future.add_done_callback(lambda done: self._on_done(download, done))
        return future

    def close(self) -> None:
        """See `ObjectSource.close`; what can be continued is kept."""
        self._closing = True
        self._resources.transport.call(self._stop_all)
        self._idle.wait()
        self._resources.close()

    def _accept(self, download: Download, future: Future[Fetched]) -> None:
        self._futures[download] = future
        self._waiting.append(download)
        if self._closing:
            self._stop_all()
        self._start_next()

    def _start_next(self) -> None:
        while self._waiting and len(self._running) < self._limit:
            download = self._waiting.popleft()
            self._running.add(download)
            download.start()

    def _on_done(self, download: Download, future: Future[Fetched]) -> None:
        if future.cancelled():
            cancelled = OutOfTime("it was cancelled")
            self._resources.transport.call(lambda: self._stop(download, cancelled))

    def _stop_all(self) -> None:
        for download in [*self._waiting, *self._running]:
            self._stop(download, OutOfTime("the worker is shutting down"))
        if not self._futures:
            self._idle.set()

    def _stop(self, download: Download, reason: OutOfTime) -> None:
        if download in self._running:
            download.stop(reason)
        elif download in self._waiting:
            self._waiting.remove(download)
            self._ended(download, reason)

    def _ended(self, download: Download, outcome: Fetched | BaseException) -> None:
        self._running.discard(download)
        settle(self._futures.pop(download), outcome)
        if self._closing and not self._futures:
            self._idle.set()
        self._start_next()
