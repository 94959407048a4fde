"""The circuit breaker: a fault of the source or of the storage pauses, and no attempt is counted.

The rules are in `shared.pausing`, the pauses in the ledger (`shared.ledger.pauses`), where all
workers share them. This module notices such faults in what a worker's attempts ended with, keeps
the worker from claiming rows meanwhile, and makes one of its attempts the probe.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence

from functions.sync_worker import witness
from shared.errors import OutOfTime, TransferError
from shared.ledger.pauses import Pauses
from shared.ledger.rows import Claim
from shared.pausing import Finding, Part, finding_of, is_answer, is_certain, must_pause, part_of
from shared.sources.interface import ObjectSource
from shared.storage.interface import Storage

logger = logging.getLogger(__name__)

HOLD_SECONDS = 10.0
"""A worker keeps the rows of its batch this long during a pause, so that it goes on with them the
moment the cause is gone. Then it leaves them to the ledger, and takes the next batch: neither a
message nor the processor is worked hard meanwhile."""

PROBE_SECONDS = 5.0
"""A probe that has not ended by then is broken off: it has shown whether its object arrives."""

LOOK_SECONDS = 0.25
"""How soon a worker that holds its rows notices that another's probe has succeeded."""

WITNESS_SECONDS = 5.0

RECENT_SECONDS = 1.0
"""What a look at the whole part showed is believed for so long, so that a part of the objects
that cannot be read costs one more request a second, and not one each."""

EVERYTHING = 1_000_000_000


class Breaker:
    """Decides whether a worker may claim rows, and which of its attempts count.

    Args:
        pauses: shared with all workers.
        source: where objects come from.
        storage: where files are written to.
        machine: whose storage it is; machines that share one may still differ in how it fails.
        clock: monotonic seconds.
        pause: waits for a number of seconds.
    """

    def __init__(
        self,
        pauses: Pauses,
        source: ObjectSource,
        storage: Storage,
        machine: str,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._pauses = pauses
        self._source = source
        self._storage = storage
        self._names = {Part.SOURCE: "source", Part.STORAGE: f"storage:{machine}"}
        self._clock = clock
        self._pause = pause
        self._lock = threading.RLock()
        self._suspects: dict[Part, dict[int, Claim]] = {part: {} for part in Part}
        self._looks: dict[Part, tuple[float, TransferError | None]] = {}
        self._probing: set[Part] = set()
        self._given_back: set[int] = set()
        self._is_new = True
        self._held_since: float | None = None

    def may_claim(self, row_ids: Sequence[int], going: Callable[[], bool]) -> int:
        """Return how many rows may be claimed now, after a wait if that lets the work go on.

        Args:
            row_ids: rows that wait to be claimed. Where the worker has to wait, they are due for
                other workers as well.
            going: whether the worker may wait on.

        Returns:
            `EVERYTHING` where nothing is paused, 1 for a probe, and 0 where the rows must be left.

        Raises:
            LedgerUnavailable: the pauses cannot be read.
        """
        if self._is_new:
            # What was wrong may have been fixed by starting this worker.
            self._pauses.hasten()
            self._is_new = False
        self._probing.clear()
        while paused := self._pauses.of(list(self._names.values())):
            if all(pause.probe_in <= 0 for pause in paused) and self._take_probe(
                {pause.part for pause in paused}
            ):
                return 1
            if self._held_since is None:
                self._held_since = self._clock()
                self._pauses.give_back(row_ids)
            if self._clock() - self._held_since >= HOLD_SECONDS or not going():
                self._held_since = None
                return 0
            soonest = max(pause.probe_in for pause in paused)
            self._pause(min(LOOK_SECONDS, max(0.01, soonest)))
        self._held_since = None
        return EVERYTHING

    def judge(
        self,
        claims: Sequence[Claim],
        errors: Mapping[int, TransferError],
        works: Collection[Part] = (),
    ) -> set[int]:
        """Return the row ids whose attempts do not count, and open or end pauses.

        Args:
            claims: of attempts that have ended together.
            errors: by row id, why some of them failed.
            works: the parts that others of them have proved to work.

        Raises:
            LedgerUnavailable: the pauses cannot be read or recorded.
        """
        with self._lock:
            spared: set[int] = set()
            if self._probing:
                # One that was broken off has shown what it was to show.
                spared |= {row for row, error in errors.items() if isinstance(error, OutOfTime)}
            for part in Part:
                faulty = [c for c in claims if _meets(errors.get(c.wanted.row_id), part)]
                answered = part is Part.SOURCE and any(is_answer(e) for e in errors.values())
                spared |= self._judge(part, faulty, errors, works=part in works or answered)
            self._given_back |= spared
            return spared

    def given_back(self) -> set[int]:
        """Return, once, the ids of rows that were given back uncounted and may be claimed again."""
        with self._lock:
            rows, self._given_back = self._given_back, set()
            return rows

    def _judge(
        self,
        part: Part,
        faulty: Sequence[Claim],
        errors: Mapping[int, TransferError],
        *,
        works: bool,
    ) -> set[int]:
        name, suspects = self._names[part], self._suspects[part]
        if works:
            suspects.clear()
            if part in self._probing:
                self._end(part)
        if not faulty:
            return set()
        met = [errors[claim.wanted.row_id] for claim in faulty]
        rows = {claim.wanted.row_id: claim for claim in faulty}
        error = next((e for e in met if is_certain(e)), met[-1])
        is_paused = bool(self._pauses.of([name]))
        if is_paused and part not in self._probing:
            return set(rows)  # they were running when it was opened
        earlier = dict(suspects)
        suspects |= rows
        if works and not is_certain(error):
            return set()  # others have succeeded beside them; if the next ones fail too, see then
        if not self._is_shared(part, error, len(suspects)):
            if part in self._probing:
                self._end(part)
            return set()
        if is_paused:
            self._probing.discard(part)
            self._pauses.postpone(name, str(error))
            return set(rows)
        if self._pauses.open(name, str(error)):
            logger.warning(
                "paused, nothing is attempted there until a probe succeeds",
                extra={"part": name, "reason": str(error), "objects": len(suspects)},
            )
        self._given_back |= self._pauses.forgive(
            [claim for row_id, claim in earlier.items() if row_id not in rows]
        )
        suspects.clear()
        return set(rows)

    def _is_shared(self, part: Part, error: TransferError, suspects: int) -> bool:
        if is_certain(error):
            return True
        finding = finding_of(error, self._look(part))
        if finding is Finding.WORKS:
            self._suspects[part].clear()
        return must_pause(finding, suspects)

    def _look(self, part: Part) -> TransferError | None:
        """Return how another object fares, or a file that is written only to see."""
        looked_at, seen = self._looks.get(part, (None, None))
        if looked_at is None or self._clock() - looked_at > RECENT_SECONDS:
            if part is Part.STORAGE:
                seen = self._storage.check()
            else:
                name = self._pauses.witness() or witness.MISSING_NAME
                seen = witness.ask(self._source, name, WITNESS_SECONDS)
            self._looks[part] = self._clock(), seen
        return seen

    def _take_probe(self, names: Collection[str]) -> bool:
        """Take the probes of all paused parts; a storage that still fails needs none."""
        paused = {part for part, name in self._names.items() if name in names}
        for part in paused:
            name = self._names[part]
            if not self._pauses.take_probe(name):
                return False
            if part is Part.STORAGE and (error := self._storage.check()) is not None:
                self._pauses.postpone(name, str(error))
                return False
        self._probing = paused
        return True

    def _end(self, part: Part) -> None:
        self._probing.discard(part)
        self._suspects[part].clear()
        seconds = self._pauses.end(self._names[part])
        if seconds is not None:
            logger.info(
                "pause ended", extra={"part": self._names[part], "seconds": round(seconds, 1)}
            )


def _meets(error: TransferError | None, part: Part) -> bool:
    return error is not None and part_of(error) is part
