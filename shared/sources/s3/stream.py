"""One request of a copy, and the bytes of its answer."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from shared.errors import RetryLater, SourceUnavailable, TransferError
from shared.sources.s3.refusals import MAX_DOCUMENT_BYTES

if TYPE_CHECKING:
    from shared.sources.s3.download import Copy

logger = logging.getLogger(__name__)

WRITE_BYTES = 256 * 1024
"""libcurl hands over 16 KiB at a time: so much is collected, per stream, for one write."""

OK, PARTIAL = 200, 206


class Stream:
    """One request of a copy.

    Args:
        copy: what it belongs to.
        segment: first byte and end, None for the plain GET until its headers have come.
        borrowed: it uses a connection beyond the copy's own.
    """

    def __init__(self, copy: Copy, segment: tuple[int, int] | None, *, borrowed: bool) -> None:
        self.copy = copy
        self.plain = segment is None
        self.borrowed = borrowed
        self.stopped = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.document = b""
        self.held: list[bytes] = []
        self.held_bytes = 0
        self.first, self.end = segment or (0, 0)
        self.position = self.first

    def on_head(self, status: int, headers: dict[str, str]) -> bool:
        """See `Receiver`."""
        self.status, self.headers = status, headers
        try:
            return status not in {OK, PARTIAL} or self.copy.on_head(self)
        except (OSError, TransferError) as error:
            self.copy.stop(error)
            return False

    def on_body(self, data: bytes) -> bool:
        """See `Receiver`."""
        if self.status not in {OK, PARTIAL}:
            if len(self.document) < MAX_DOCUMENT_BYTES:
                self.document += data
            return True
        self.held.append(data)
        self.held_bytes += len(data)
        return self.held_bytes < WRITE_BYTES or self._flush()

    def _flush(self) -> bool:
        data = b"".join(self.held)
        self.held, self.held_bytes = [], 0
        try:
            return self.copy.on_body(self, data)
        except (OSError, TransferError) as error:
            self.copy.stop(error)
            return False

    def on_end(self, error: RetryLater | None) -> None:
        """See `Receiver`."""
        if self.held and not self.stopped:
            self._flush()
        try:
            self.copy.on_end(self, error)
        except (OSError, TransferError) as failure:
            self.copy.stop(failure)
        except Exception:  # a copy that never ends would hold its place for ever
            logger.exception("fault in a copy", extra={"row_id": self.copy.wanted.row_id})
            self.copy.stop(SourceUnavailable("fault in the worker, see its log"))
