"""Whether the source works as a whole: another object is asked for."""

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
"""Asked for while nothing has been synced: a source that works answers that it is missing."""

LOOK_SECONDS = 0.05
WIND_UP_SECONDS = 2.0


def ask(source: ObjectSource, file_name: str, seconds: float) -> TransferError | None:
    """Begin to copy an object beside the storage, and return how that ended.

    Args:
        source: in question.
        file_name: of an object that could be read lately, or `MISSING_NAME`.
        seconds: how long it may take.

    Returns:
        None once the object has begun to arrive; `OutOfTime` if there is no answer in time, which
        may be this machine's fault.
    """
    now = datetime.now(UTC)
    wanted = Wanted(row_id=0, attempt=1, file_name=file_name, queued_at=now, claimed_at=now)
    try:
        with tempfile.TemporaryDirectory(prefix="sync-witness-") as folder:
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
