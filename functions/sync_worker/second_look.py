"""The second look at a source: another object is requested, to see whether the source works."""

from __future__ import annotations

import concurrent.futures
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from shared.domain import Wanted
from shared.errors import OutOfTime, TransferError
from shared.sources.interface import ObjectSource

MISSING_NAME = "external-storage-sync/no-such-object"
"""Key requested while nothing has been synced: a source that works answers that it is missing."""

LOOK_SECONDS = 0.05
WIND_UP_SECONDS = 2.0


def request(source: ObjectSource, file_name: str, seconds: float) -> TransferError | None:
    """Begin to copy an object into a temporary folder, and return how that ended.

    Args:
        source: the source that failed for other objects.
        file_name: key of an object that was read recently, or `MISSING_NAME`.
        seconds: longest wait for an answer.

    Returns:
        None once the object has begun to arrive; `OutOfTime` if there is no answer in time, which
        may be this machine's fault.
    """
    now = datetime.now(UTC)
    wanted = Wanted(row_id=0, attempt=1, file_name=file_name, queued_at=now, claimed_at=now)
    try:
        with tempfile.TemporaryDirectory(prefix="sync-look-") as folder:
            part = Path(folder) / "0.1.part"
            future = source.fetch(wanted, part)
            deadline = time.monotonic() + seconds
            while not future.done() and not part.exists() and time.monotonic() < deadline:
                concurrent.futures.wait([future], LOOK_SECONDS)
            if not future.done():
                answered = part.exists()
                future.cancel()
                # Nothing may write into the folder once it is removed.
                concurrent.futures.wait([future], WIND_UP_SECONDS)
                return None if answered else OutOfTime()
            error = future.exception()
            return error if isinstance(error, TransferError) or error is None else OutOfTime()
    except OSError:
        return OutOfTime()
