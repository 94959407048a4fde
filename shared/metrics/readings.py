"""Gauges of the whole service, read where they are kept: the ledger, the queue, the storage.

Each costs a few cheap questions, and no number of objects changes what they cost.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from shared.health import SILENT_SECONDS
from shared.ledger.callbacks import PAUSE
from shared.ledger.heartbeats import SCHEDULER, WORKER
from shared.ledger.ledger import Ledger
from shared.ledger.rows import State
from shared.ledger.selection import Verification
from shared.metrics import catalog
from shared.metrics.catalog import Sample
from shared.pausing import Part
from shared.queue.interface import Queue


def of_ledger(ledger: Ledger) -> list[Sample]:
    """Return what the ledger knows.

    Raises:
        LedgerUnavailable: PostgreSQL is unreachable.
    """
    return list(_of_ledger(ledger))


def _of_ledger(ledger: Ledger) -> Iterator[Sample]:
    counts = ledger.counts()
    by_state = {
        State.QUEUED: counts.queued,
        State.SYNCED: counts.synced,
        State.FAILED: counts.failed,
        State.DISMISSED: counts.dismissed,
    }
    for state, number in by_state.items():
        yield Sample(catalog.OBJECTS, number, (state.value,))
    yield Sample(catalog.STORED_BYTES, counts.bytes_stored)
    yield Sample(catalog.OLDEST_QUEUED, ledger.oldest_queued_seconds() or 0.0)
    paused = {pause.part.partition(":")[0] for pause in ledger.pauses.all()}
    for part in Part:
        yield Sample(catalog.PAUSED, part.value in paused, (part.value,))
    callbacks = ledger.callbacks.counts()
    if ledger.with_callbacks or callbacks.any:
        yield Sample(catalog.PAUSED, bool(ledger.pauses.of([PAUSE])), (PAUSE,))
        yield Sample(catalog.CALLBACKS_PENDING, callbacks.pending)
        yield Sample(catalog.CALLBACKS_UNDELIVERED, callbacks.undelivered)
        yield Sample(catalog.CALLBACKS_OLDEST, callbacks.oldest_seconds or 0.0)
    beats = [beat.component for beat in ledger.heartbeats.all() if beat.age <= SILENT_SECONDS]
    for component in (WORKER, SCHEDULER):
        yield Sample(catalog.ALIVE, beats.count(component), (component,))
    verified = ledger.verifications.counts()
    for result in Verification:
        yield Sample(catalog.VERIFIED, verified.get(result, 0), (result.value,))
    if counts.synced:
        ok = verified.get(Verification.OK, 0)
        yield Sample(catalog.VERIFIED_RATIO, min(1.0, ok / counts.synced))


def of_queue(queue: Queue) -> list[Sample]:
    """Return how many messages wait.

    Raises:
        QueueUnavailable: the broker is unreachable.
    """
    return [
        Sample(catalog.QUEUE_MESSAGES, queue.depth(), ("sync",)),
        Sample(catalog.QUEUE_MESSAGES, queue.dead_letter_depth(), ("sync.dead",)),
    ]


def of_storage(folder: Path) -> Sequence[Sample]:
    """Return how much space a folder's file system has.

    Raises:
        OSError: it cannot be asked.
    """
    found = os.statvfs(folder)
    samples = [
        Sample(catalog.STORAGE_FREE, found.f_bavail * found.f_frsize),
        Sample(catalog.STORAGE_SIZE, found.f_blocks * found.f_frsize),
    ]
    if found.f_files:  # btrfs and some servers of NFS count none
        samples += [
            Sample(catalog.STORAGE_FREE_INODES, found.f_favail),
            Sample(catalog.STORAGE_INODES, found.f_files),
        ]
    return samples
