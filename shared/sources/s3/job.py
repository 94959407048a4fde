"""How one download ends: its outcome, and what still works for it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import TracebackType

from shared.domain import Fetched
from shared.errors import ContentMismatch, SourceUnavailable, TransferError
from shared.sources.s3.resources import Resources
from shared.storage.os_errors import as_transfer_error

logger = logging.getLogger(__name__)


class Job:
    """The outcome of one download, and its work on pool threads.

    Args:
        resources: runs the work.
        row_id: of the object, for the log.
        end: called on the transport's thread when the download is to end, and again whenever
            some of its work has ended since.

    Attributes:
        failure: the first reason for which the download ends without success.
        fetched: the verified object.
    """

    def __init__(self, resources: Resources, row_id: int, end: Callable[[], None]) -> None:
        self.failure: BaseException | None = None
        self.fetched: Fetched | None = None
        self._resources, self._end = resources, end
        self._failing = _Failing(self, row_id)
        self._running = 0
        self._is_held = False
        self._held: Fetched | ContentMismatch | None = None

    @property
    def idle(self) -> bool:
        """Whether no pool thread works for the download."""
        return not self._running

    @property
    def going(self) -> bool:
        """Whether the download has no outcome yet."""
        return self.failure is None and self.fetched is None

    def fail(self, error: BaseException) -> None:
        """End the download soon; the first error counts. May be called from any thread.

        Wrong content of a download that is held waits, too: what it waits for may tell more.
        """
        if self._is_held and isinstance(error, ContentMismatch):
            self._held = error
        elif self.failure is None:
            self.failure = as_transfer_error(error) if isinstance(error, OSError) else error
            self._resources.transport.call(self._end)

    def succeed(self, fetched: Fetched) -> None:
        """End the download with its object, unless it is held; on the transport's thread."""
        if self._is_held:
            self._held = fetched
        else:
            self.fetched = fetched
            self._end()

    def hold(self) -> None:
        """Let a download whose body comes on the transport's thread alone wait for `release`."""
        self._is_held = True

    def release(self, error: Exception | None = None) -> None:
        """End a held download by the error, or else as it would have ended meanwhile.

        Raises:
            Exception: the error, or what was wrong with the content.
        """
        self._is_held = False
        if error is not None:
            raise error
        if isinstance(self._held, Fetched):
            self.succeed(self._held)
        elif self._held is not None:
            raise self._held

    def discard_held(self) -> None:
        """Close the part of a download that was never released."""
        if self.fetched is None and isinstance(self._held, Fetched) and self._held.file is not None:
            self._held.file.close()

    def run(self, on_pool: Callable[[], None], then: Callable[[], None]) -> None:
        """Run `on_pool` on a pool thread and `then` back on the transport's.

        An error of either ends the download.
        """

        def work() -> None:
            with self.failing():
                on_pool()

        def back() -> None:
            self._running -= 1
            with self.failing():
                then()
            if self.failure is not None:
                self._end()

        self._running += 1
        self._resources.run(work, back)

    def later(self, function: Callable[[], None]) -> None:
        """Run `function` on the transport's thread, after what is running there."""

        def guarded() -> None:
            with self.failing():
                function()

        self._resources.transport.call(guarded)

    def failing(self) -> _Failing:
        """End the download with what the block raises; nothing is raised."""
        return self._failing


class _Failing:
    """See `Job.failing`."""

    def __init__(self, job: Job, row_id: int) -> None:
        self._job, self._row_id = job, row_id

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if error is None:
            return False
        if isinstance(error, OSError | TransferError):
            self._job.fail(error)
            return True
        if isinstance(error, Exception):  # a download that never ends would hold its place forever
            logger.error("fault in a download", exc_info=error, extra={"row_id": self._row_id})
            self._job.fail(SourceUnavailable("internal error of the worker, see its log"))
            return True
        return False
