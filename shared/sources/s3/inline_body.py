"""A small object: one response, written and digested as it arrives."""

from __future__ import annotations

from shared.errors import ContentMismatch, RetryLater
from shared.injection_points import CrashPoint, injection_point
from shared.sources.digesting import DigestedPart
from shared.sources.s3.job import Job
from shared.sources.s3.stream import Stream

INLINE_BYTES = 1024 * 1024
"""Objects up to here are digested as they arrive: handing them over would cost more."""


class InlineBody:
    """The part of a small object; everything runs on the transport's thread.

    Args:
        job: the download.
        part: its file.
    """

    def __init__(self, job: Job, part: DigestedPart) -> None:
        self._job, self._part = job, part

    def take(self, stream: Stream, data: bytes) -> bool:
        """See `Body`."""
        self._part.append(data)
        stream.position += len(data)
        injection_point(CrashPoint.MID_DOWNLOAD)
        return True

    def on_end(self, stream: Stream, error: RetryLater | None) -> None:
        """Verify the object.

        Raises:
            RetryLater: it did not come as a whole, or is not what the store promised.
        """
        if error is not None or stream.position < stream.end:
            raise error or ContentMismatch("the body was cut short")
        self._job.succeed(self._part.finish())

    def close(self, failure: BaseException | None) -> None:
        """Close the part; one that is not complete is removed.

        Raises:
            OSError: the storage refuses.
        """
        self._part.close(complete=failure is None, resumable=False)
