"""What a person can do with objects: retry, fetch again, dismiss, verify."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from functions.admin.records import FileRecord, Records
from shared.ledger.actions import Action
from shared.ledger.ledger import Ledger
from shared.ledger.selection import Selection, Verification
from shared.ledger.verifications import Recorded
from shared.storage.reading import StorageReader, Verdict

logger = logging.getLogger(__name__)

VERIFY_SECONDS = 20.0
"""Seconds for all files of one request; the function itself has 29 s (template.yaml)."""


@dataclass(frozen=True, slots=True)
class Line:
    """What an action did to one object.

    Attributes:
        id: the object.
        file_name: its name.
        ok: whether the action succeeded.
        message: what it did, or why not.
    """

    id: int
    file_name: str
    ok: bool
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """What an action did.

    Attributes:
        title: in one sentence.
        ok: whether it succeeded for every object.
        lines: one for each object.
    """

    title: str
    ok: bool
    lines: Sequence[Line]


class ObjectActions:
    """Performs the actions of the forms.

    Args:
        records: reads the ledger.
        ledger: records and performs actions.
        files: the storage.
        clock: returns monotonic seconds.
    """

    def __init__(
        self,
        records: Records,
        ledger: Ledger,
        files: StorageReader,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._records = records
        self._ledger = ledger
        self._files = files
        self._clock = clock

    def perform(self, action: Action, row_ids: Sequence[int], user: str) -> Report:
        """Perform an action on some objects, skipping those whose state it does not apply to.

        Args:
            action: what to do.
            row_ids: the objects.
            user: who asked for it.

        Raises:
            LedgerUnavailable: PostgreSQL is unreachable.
        """
        if not row_ids:
            return _report("", ())
        selection = Selection(ids=tuple(row_ids))
        performed = self._ledger.actions.perform(action, selection, f"admin: {user}")
        changed = self._ledger.actions.changed_by(performed.id, row_ids)
        logger.info(
            "action performed",
            extra={"action": action.value, "row_ids": sorted(changed), "user": user},
        )
        lines = []
        for file in self._records.files(row_ids):
            ok = file.id in changed
            message = action.done if ok else f"skipped: already {file.state}"
            lines.append(Line(file.id, file.file_name, ok, message))
        return _report(f"{len(changed)} of {len(lines)} {action.done}", lines)

    def verify(self, row_ids: Sequence[int], user: str) -> Report:
        """Read the files of some objects again and compare them with the ledger.

        Args:
            row_ids: the objects.
            user: who asked for it, for the log.

        Raises:
            LedgerUnavailable: PostgreSQL is unreachable.
        """
        deadline = self._clock() + VERIFY_SECONDS
        recorded = {record.row_id: record for record in self._ledger.verifications.of(row_ids)}
        verdicts = {
            row_id: self._verdict(record, lambda: self._clock() < deadline)
            for row_id, record in recorded.items()
        }
        results = self._ledger.verifications.record(
            [
                (recorded[row_id], Verification(verdict.value))
                for row_id, verdict in verdicts.items()
                if verdict is not Verdict.UNFINISHED
            ]
        )
        lines = [
            self._verified_line(file, verdicts.get(file.id), results.get(file.id))
            for file in self._records.files(row_ids)
        ]
        matching = sum(line.ok for line in lines)
        logger.info("verified", extra={"objects": len(lines), "matching": matching, "user": user})
        if len(lines) == 1 and matching:
            return _report("The file matches the original", lines)
        if len(lines) == 1:
            return _report(f"The file {lines[0].message}", lines)
        return _report(f"{matching} of {len(lines)} files match the originals", lines)

    def _verdict(self, record: Recorded, time_left: Callable[[], bool]) -> Verdict:
        if not time_left():
            return Verdict.UNFINISHED
        return self._files.verify(record.file_name, record.size, record.sha256, time_left)

    def _verified_line(
        self, file: FileRecord, verdict: Verdict | None, result: Verification | None
    ) -> Line:
        if verdict is None:
            return _line(file, f"is not synced: {file.state}")
        if result is Verification.REPLACED:
            newest = self._records.newest_file(file.file_name)
            return _line(file, f"was replaced by object {newest.id if newest else '?'}")
        if result is None and verdict is not Verdict.UNFINISHED:
            return _line(file, "was copied again meanwhile")
        return _line(file, _MESSAGES[verdict], ok=verdict is Verdict.MATCH)


_MESSAGES = {
    Verdict.MATCH: "OK",
    Verdict.DIFFERS: "differs from the original",
    Verdict.MISSING: "is missing",
    Verdict.UNREADABLE: "can't be read",
    Verdict.UNFINISHED: "was not checked: out of time, select fewer files",
}
"""What comes after the name of the file."""


def _line(file: FileRecord, message: str, *, ok: bool = False) -> Line:
    return Line(file.id, file.file_name, ok, message)


def _report(title: str, lines: Sequence[Line]) -> Report:
    if not lines:
        return Report("Nothing selected", ok=False, lines=())
    return Report(title, all(line.ok for line in lines), lines)
