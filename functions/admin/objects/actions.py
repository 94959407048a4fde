"""What a person can do with objects: put failed ones back in the queue, check files."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from functions.admin.records import Objects, Recorded
from shared.ledger.ledger import Ledger
from shared.ledger.rows import State
from shared.storage.reading import StoredFiles, Verdict

logger = logging.getLogger(__name__)

VERIFY_SECONDS = 20.0
"""Within what a function may take altogether (29 s, template.yaml)."""


@dataclass(frozen=True, slots=True)
class Line:
    """What an action did to one object.

    Attributes:
        id: the object.
        file_name: its name.
        well: whether that is what one hopes for.
        told: in words.
    """

    id: int
    file_name: str
    well: bool
    told: str


@dataclass(frozen=True, slots=True)
class Report:
    """What an action did.

    Attributes:
        title: in one sentence.
        well: whether every line is well.
        lines: one for each object.
    """

    title: str
    well: bool
    lines: Sequence[Line]


class Actions:
    """Does it.

    Args:
        objects: tells what is recorded.
        ledger: where failed objects are queued again.
        files: the storage.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        objects: Objects,
        ledger: Ledger,
        files: StoredFiles,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._objects = objects
        self._ledger = ledger
        self._files = files
        self._clock = clock

    def retry(self, row_ids: Sequence[int], user: str) -> Report:
        """Puts the failed ones of some objects back in the queue.

        Args:
            row_ids: the objects.
            user: who asked for it, for the log.
        """
        retried = self._ledger.retry(row_ids)
        logger.info("retried", extra={"row_ids": sorted(retried), "user": user})
        lines = []
        for recorded in self._objects.recorded(row_ids):
            done = recorded.id in retried
            told = "back in the queue" if done else f"left alone: it is {recorded.state}"
            lines.append(Line(recorded.id, recorded.file_name, well=done, told=told))
        title = f"{len(retried)} of {len(lines)} put back in the queue"
        return Report(title, bool(lines) and len(retried) == len(lines), lines)

    def verify(self, row_ids: Sequence[int], user: str) -> Report:
        """Reads the files of some objects again and compares them with the ledger."""
        deadline = self._clock() + VERIFY_SECONDS
        lines = [
            self._verified(recorded, lambda: self._clock() < deadline)
            for recorded in self._objects.recorded(row_ids)
        ]
        matching = sum(line.well for line in lines)
        logger.info("verified", extra={"objects": len(lines), "matching": matching, "user": user})
        well = bool(lines) and matching == len(lines)
        return Report(f"{matching} of {len(lines)} match what was recorded", well, lines)

    def _verified(self, recorded: Recorded, time_left: Callable[[], bool]) -> Line:
        if recorded.state is not State.SYNCED or recorded.sha256 is None:
            return _line(recorded, f"not synced: it is {recorded.state}")
        if not time_left():
            return _line(recorded, _TOLD[Verdict.UNFINISHED])
        verdict = self._files.verify(
            recorded.file_name, recorded.size_bytes or 0, recorded.sha256, time_left
        )
        if verdict is Verdict.DIFFERS:
            newest = self._objects.newest_file(recorded.file_name)
            if newest is not None and newest.id != recorded.id:
                return _line(recorded, f"differs: object {newest.id} has replaced this file")
        return _line(recorded, _TOLD[verdict], well=verdict is Verdict.MATCH)


_TOLD = {
    Verdict.MATCH: "match: size and SHA-256 are as recorded",
    Verdict.DIFFERS: "differs: the file's content is not what was recorded",
    Verdict.MISSING: "missing: there is no such file",
    Verdict.UNREADABLE: "unreadable: it is not a plain file, or reading it failed",
    Verdict.UNFINISHED: "not checked: no time was left, try fewer at once",
}


def _line(recorded: Recorded, told: str, *, well: bool = False) -> Line:
    return Line(recorded.id, recorded.file_name, well=well, told=told)
