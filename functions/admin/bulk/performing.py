"""Performs actions on many objects, as far as the time of a request goes.

An action is recorded first, so that `requeue` performs what is left, and `scrub` reads the files
that are left to verify; a person who waits can let this function go on instead.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from shared.ledger.actions import Action
from shared.ledger.ledger import Ledger
from shared.ledger.selection import Selection, Verification
from shared.ledger.verifications import Recorded
from shared.storage.reading import StorageReader, Verdict

logger = logging.getLogger(__name__)

REQUEST_SECONDS = 5.0
"""Seconds that one request works; the function itself has 29 s (template.yaml)."""

FILES = 64
"""Files that are read before their results are recorded."""


class BulkActions:
    """Begins actions and continues them.

    Args:
        ledger: records and performs actions.
        files: the storage, whose files are verified.
        clock: returns monotonic seconds.

    Every method raises `LedgerUnavailable` if PostgreSQL is unreachable.
    """

    def __init__(
        self,
        ledger: Ledger,
        files: StorageReader,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._files = files
        self._clock = clock

    def begin(self, action: Action, selection: Selection, user: str) -> int:
        """Record an action, perform as much of it as time allows, and return its id.

        Args:
            action: what to do.
            selection: with which objects; those whose state it does not apply to are skipped.
            user: who asked for it.
        """
        until = self._clock() + REQUEST_SECONDS
        performed = self._ledger.actions.perform(
            action, selection, f"admin: {user}", going=lambda: self._clock() < until
        )
        about = {"action": action.value, "action_id": performed.id, "user": user}
        logger.info("action performed", extra={**about, "objects": performed.objects})
        self._verify(action, selection, until)
        return performed.id

    def go_on(self, action_id: int) -> None:
        """Perform more of an action.

        Raises:
            LookupError: there is none with this id.
        """
        until = self._clock() + REQUEST_SECONDS
        while self._clock() < until and self._ledger.actions.advance(action_id) is not None:
            pass
        performed = self._ledger.actions.get(action_id)
        self._verify(performed.action, performed.selection, until)

    def _verify(self, action: Action, selection: Selection, until: float) -> None:
        if action is not Action.VERIFY:
            return
        if selection.ids:
            recorded: Sequence[Recorded] = self._ledger.verifications.of(selection.ids)
            while recorded and self._read(recorded[:FILES], until):
                recorded = recorded[FILES:]
            return
        # Of many, in the order of all requests: those of others do not wait longer for them.
        while requested := self._ledger.verifications.requested(FILES):
            if not self._read(requested, until):
                return

    def _read(self, recorded: Sequence[Recorded], until: float) -> bool:
        """Read files and record what was found; return whether there was time for all."""
        found: list[tuple[Recorded, Verification]] = []
        for file in recorded:
            verdict = Verdict.UNFINISHED
            if self._clock() < until:
                verdict = self._files.verify(
                    file.file_name, file.size, file.sha256, lambda: self._clock() < until
                )
            if verdict is Verdict.UNFINISHED:
                break
            found.append((file, Verification(verdict.value)))
        if found:
            self._ledger.verifications.record(found)
        return len(found) == len(recorded)
