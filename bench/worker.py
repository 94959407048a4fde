"""The worker behind RabbitMQ, given objects to copy and watched until they are in place."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench import ledgers
from bench.stack import Stack
from shared.queue.messages import SyncMessage

LIMIT_SECONDS = 600.0
"""Nothing that is measured takes longer."""

_LOOK_SECONDS = 0.01


def copy_all(
    stack: Stack,
    url: str,
    keys: Sequence[str],
    storage: Path,
    workers: Sequence[int],
    *,
    begin: Callable[[], None] = lambda: None,
    look_seconds: float = _LOOK_SECONDS,
) -> float:
    """Record and publish objects and wait until all are synced.

    Every message is in RabbitMQ when the clock begins to run, so that publishing takes no
    processor from copying. It runs until the commit that makes the last object synced.

    Args:
        stack: the servers.
        url: of the ledger.
        keys: the objects; no two are equal.
        storage: where the workers put the files; `set_aside` or `remove` empties it.
        workers: their process ids; they are held until everything is published.
        begin: is called before the clock begins to run, while the workers are held.
        look_seconds: how often the ledger is asked, which costs PostgreSQL some processor time.

    Returns:
        The seconds.
    """
    row_ids = ledgers.queue(url, list(keys))
    messages = [SyncMessage(row_id, "bench") for row_id in row_ids]
    synced = ledgers.Counter(url)
    wanted = synced.synced() + len(keys)
    with _held(workers):
        if len(stack.queue.publish_all(messages)) < len(keys):
            raise AssertionError("the broker did not confirm every message")
        begin()
    before = time.perf_counter()
    while synced.synced() < wanted:
        taken = time.perf_counter() - before
        if taken > LIMIT_SECONDS:
            raise AssertionError(
                f"{wanted - synced.synced()} of {len(keys)} objects are not synced"
            )
        time.sleep(look_seconds)
    taken = time.perf_counter() - before
    synced.close()
    _check(storage, keys)
    return taken


@contextmanager
def _held(processes: Sequence[int]) -> Iterator[None]:
    """Keep processes from running in the block."""
    try:
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


def set_aside(folder: Path) -> None:
    """Move a folder's files away, on disk by then, and keep them until everything is measured.

    Deleting a few thousand files slows down the creation of the next ones: ext4 does not reuse an
    inode within seconds of its deletion, and looks at each of those that it passes over
    (`recently_deleted` in its ialloc.c). What is not on disk yet slows down the next sync.
    """
    aside = Path(tempfile.mkdtemp(prefix="copied-", dir=folder.parent))
    for path in _files(folder):
        path.rename(aside / path.name)
    os.sync()


def remove(folder: Path) -> None:
    """Remove a folder's files: for a few large ones, which would fill the disk."""
    for path in _files(folder):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    os.sync()


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name != ".incoming"]


def _check(storage: Path, keys: Sequence[str]) -> None:
    """Make sure that every file is there."""
    missing = [key for key in keys if not (storage / key).is_file()]
    if missing:
        raise AssertionError(f"{len(missing)} files are not in place, such as {missing[0]}")
