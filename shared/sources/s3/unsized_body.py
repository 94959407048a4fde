"""An object whose size nothing tells before its end: one stream, digested when it has come."""

from __future__ import annotations

from collections.abc import Callable

from shared.domain import Fetched
from shared.errors import RetryLater
from shared.injection_points import CrashPoint, injection_point
from shared.sources.digesting import DigestedPart
from shared.sources.part_file import PartFile
from shared.sources.s3.job import Job
from shared.sources.s3.stream import Stream


class UnsizedBody:
    """The part of such an object; everything but the digesting runs on the transport's thread.

    Args:
        job: the download.
        file: the part.
        digested: returns the part with its digests, given the bytes that came; may block.
    """

    def __init__(self, job: Job, file: PartFile, digested: Callable[[int], DigestedPart]) -> None:
        self._job, self._file, self._digested = job, file, digested

    def take(self, stream: Stream, data: bytes) -> bool:
        """See `Body`."""
        self._file.write(stream.position, data)
        stream.position += len(data)
        injection_point(CrashPoint.MID_DOWNLOAD)
        return True

    def on_end(self, stream: Stream, error: RetryLater | None) -> None:
        """Digest and verify what came.

        Raises:
            RetryLater: the stream broke.
        """
        if error is not None:
            raise error
        outcome: list[Fetched | None] = []
        self._job.run(
            lambda: outcome.append(self._digest(stream.position)), lambda: self._end(outcome)
        )

    def close(self, failure: BaseException | None) -> None:
        """Close the part; one that is not complete is removed.

        Raises:
            OSError: the storage refuses.
        """
        self._file.close(keep=failure is None)

    def _digest(self, size: int) -> Fetched | None:
        return self._digested(size).digest(size, lambda: self._job.going)

    def _end(self, outcome: list[Fetched | None]) -> None:
        if outcome and outcome[0] is not None:
            self._job.succeed(outcome[0])
