"""The worker behind RabbitMQ, given objects to copy and watched until they are in place."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from bench import ledgers
from shared.messages import SyncMessage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.stack import Stack

#: Nothing that is measured takes longer.
PATIENCE_SECONDS = 600.0
_LOOK_SECONDS = 0.01


def drain(stack: Stack, url: str, keys: Sequence[str], storage: Path) -> float:
    """Records and announces objects and waits until all are synced and acknowledged.

    The clock runs from the first message to the commit that makes the last object synced.

    Args:
        stack: the servers; a worker of theirs is running.
        url: of the ledger.
        keys: the objects; no two are equal.
        storage: where the worker puts the files; emptied afterwards.

    Returns:
        The seconds.
    """
    row_ids = ledgers.queue(url, list(keys))
    messages = [SyncMessage(row_id, "bench") for row_id in row_ids]
    synced = ledgers.Counter(url)
    wanted = synced.synced() + len(keys)
    before = time.perf_counter()
    if len(stack.queue.announce_all(messages)) < len(keys):
        msg = "the broker did not confirm every message"
        raise AssertionError(msg)
    while synced.synced() < wanted:
        taken = time.perf_counter() - before
        if taken > PATIENCE_SECONDS:
            msg = f"{wanted - synced.synced()} of {len(keys)} objects are not synced"
            raise AssertionError(msg)
        time.sleep(_LOOK_SECONDS)
    taken = time.perf_counter() - before
    synced.close()
    _check(storage, keys)
    return taken


def _check(storage: Path, keys: Sequence[str]) -> None:
    """Makes sure that every file is there, and makes room for the next run."""
    missing = [key for key in keys if not (storage / key).is_file()]
    if missing:
        msg = f"{len(missing)} files are not in place, such as {missing[0]}"
        raise AssertionError(msg)
    for path in storage.iterdir():
        if path.name != ".incoming":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
