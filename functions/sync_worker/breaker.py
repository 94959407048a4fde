"""The circuit breaker: a fault of the source or of the storage pauses, and no attempt is counted.

The rules are in `shared.pausing`, the pauses in the ledger (`shared.ledger.pauses`), where all
workers share them. This module notices such faults in what a worker's attempts ended with, keeps
the worker from claiming rows meanwhile, and makes one of its attempts the probe.
"""

from __future__ import annotations

import contextlib
import enum
import logging
import math
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence

from functions.sync_worker import second_look
from shared.errors import LedgerUnavailable, OutOfTime, TransferError
from shared.ledger.pauses import Pauses
from shared.ledger.rows import Claim
from shared.pausing import (
    DISTINCT_OBJECTS,
    Finding,
    Part,
    finding_of,
    is_answer,
    is_certain,
    is_counted,
    must_pause,
    names_at,
    part_of,
)
from shared.sources.interface import ObjectSource
from shared.storage.interface import Storage

logger = logging.getLogger(__name__)

HOLD_SECONDS = 10.0
"""How long a worker keeps the rows of its batch during a pause, so that it continues with them as
soon as the cause is gone. Then it leaves them to the ledger and takes the next batch, so that
messages are not delivered over and over meanwhile."""

PROBE_SECONDS = 5.0
"""A probe that has not ended by then is broken off: it has shown whether its object arrives."""

LOOK_SECONDS = 0.2
"""How often a worker looks whether another one has opened or ended a pause."""

SECOND_LOOK_SECONDS = 5.0
"""How long the other object may take to begin to arrive."""

RECENT_SECONDS = 1.0
"""How long the result of a second look is used, so that objects that cannot be read cost one more
request a second, and not one each."""


class Allowance(enum.Enum):
    """What a worker may claim."""

    ALL = enum.auto()
    """As many rows as it has room for."""
    PROBE = enum.auto()
    """One row, whose outcome decides."""
    NONE = enum.auto()
    """Nothing."""


class Breaker:
    """Decides whether a worker may claim rows, and which of its attempts count.

    Args:
        pauses: shared with all workers.
        source: where objects come from.
        storage: where files are written to.
        machine: name of the machine whose storage it is; a shared storage may fail on one alone.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        pauses: Pauses,
        source: ObjectSource,
        storage: Storage,
        machine: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pauses = pauses
        self._source = source
        self._storage = storage
        self._names = names_at(machine)
        self._clock = clock
        self._judging = threading.Lock()
        self._suspects: dict[Part, dict[int, Claim]] = {part: {} for part in Part}
        self._looks: dict[Part, tuple[float, TransferError | None]] = {}
        self._lock = threading.Lock()  # for what is below, which both threads of a worker use
        self._given_back: set[int] = set()
        self._probing: set[Part] = set()
        self._probes: list[Claim] = []
        self._probe_ends = math.inf
        self._is_new = True
        self._look_at = clock()
        self._open_since: float | None = None
        self._is_noted = False

    @property
    def is_open(self) -> bool:
        """Whether something is paused, as far as this worker knows."""
        return self._open_since is not None

    def allowance(self) -> Allowance:
        """Return what may be claimed now; if the ledger is unreachable, the last known answer."""
        if self._judging.locked():
            return Allowance.NONE  # it is being decided
        with self._lock:
            if self._clock() >= self._look_at:
                with contextlib.suppress(LedgerUnavailable):
                    return self._look_at_pauses()
            return Allowance.NONE if self.is_open else Allowance.ALL

    def began(self, claims: Sequence[Claim]) -> None:
        """Note the claims of a probe; if there are none, another worker may take the next one."""
        with self._lock:
            self._probes, self._probe_ends = list(claims), self._clock() + PROBE_SECONDS
            if not claims:
                self._probing.clear()

    def overdue_probes(self) -> list[Claim]:
        """Return, once, the claims of a probe that has taken too long."""
        with self._lock:
            if self._clock() < self._probe_ends:
                return []
            self._probe_ends = math.inf
            return self._probes

    def has_begun_to_wait(self) -> bool:
        """Return, once for each pause, whether the worker has rows that it may not attempt."""
        is_new, self._is_noted = self.is_open and not self._is_noted, True
        return is_new

    def has_waited(self) -> bool:
        """Return whether the worker has held its rows long enough; then the time begins anew."""
        if self._open_since is None or self._clock() - self._open_since < HOLD_SECONDS:
            return False
        self._open_since, self._look_at = None, self._clock()
        return True

    def give_back(self, row_ids: Collection[int]) -> None:
        """Note rows that were recorded as uncounted, and may be claimed again."""
        with self._lock:
            self._given_back.update(row_ids)

    def given_back(self) -> set[int]:
        """Return, once, the rows that were given back."""
        with self._lock:
            rows, self._given_back = self._given_back, set()
            return rows

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
        with self._judging:
            with self._lock:
                ids = {claim.wanted.row_id for claim in self._probes}
            probes = {claim.wanted.row_id for claim in claims} & ids
            # A probe that was broken off has shown what it was to show.
            spared = {row_id for row_id in probes if isinstance(errors.get(row_id), OutOfTime)}
            for part in Part:
                answered = part is Part.SOURCE and any(is_answer(e) for e in errors.values())
                faulty = {
                    claim.wanted.row_id: claim
                    for claim in claims
                    if _meets(errors.get(claim.wanted.row_id), part)
                }
                is_probe = bool(probes) and part in self._probing
                succeeded = part in works or answered
                if succeeded:
                    self._on_success(part, is_probe=is_probe)
                if faulty and self._on_fault(
                    part, faulty, errors, is_probe=is_probe and not succeeded, succeeded=succeeded
                ):
                    spared |= {row_id for row_id in faulty if not is_counted(errors[row_id])}
            if probes:
                with self._lock:
                    self._probes, self._probe_ends = [], math.inf
                    self._probing.clear()
            return spared

    def _look_at_pauses(self) -> Allowance:
        if self._is_new:
            # What was wrong may have been fixed by starting this worker.
            self._pauses.hasten()
            self._is_new = False
        paused = self._pauses.of(list(self._names.values()))
        self._look_at = self._clock() + LOOK_SECONDS
        if not paused:
            self._open_since = None
            return Allowance.ALL
        if self._open_since is None:
            self._open_since, self._is_noted = self._clock(), False
        is_due = all(pause.probe_in <= 0 for pause in paused)
        if not self._probing and is_due and self._take_probe({pause.part for pause in paused}):
            return Allowance.PROBE
        return Allowance.NONE

    def _on_success(self, part: Part, *, is_probe: bool) -> None:
        self._suspects[part].clear()
        if is_probe:
            self._end(part)

    def _on_fault(
        self,
        part: Part,
        faulty: Mapping[int, Claim],
        errors: Mapping[int, TransferError],
        *,
        is_probe: bool,
        succeeded: bool,
    ) -> bool:
        """Return whether the faults of a part that rows met are not their own."""
        name, suspects = self._names[part], self._suspects[part]
        met = [errors[row_id] for row_id in faulty]
        error = next((e for e in met if is_certain(e)), met[-1])
        is_paused = bool(self._pauses.of([name]))
        if is_paused and not is_probe:
            return True  # they were running when it was opened
        earlier = [claim for row_id, claim in suspects.items() if row_id not in faulty]
        suspects |= faulty
        if succeeded and not is_certain(error):
            return False  # if the next ones fail without a success among them, these are suspects
        # A probe that does not show that the part works again has failed.
        if not self._is_shared(part, error, DISTINCT_OBJECTS if is_probe else len(suspects)):
            if is_probe:
                self._end(part)
            # It may have been gone just before another object could be read.
            return is_probe and is_certain(error)
        if is_probe:
            self._pauses.postpone(name, str(error))
            return True
        if self._pauses.open(name, str(error)):
            logger.warning(
                "paused, nothing is attempted there until a probe succeeds",
                extra={"part": name, "reason": str(error), "objects": len(suspects)},
            )
        self._look_at = self._clock()
        self.give_back(self._pauses.forgive(earlier))
        suspects.clear()
        return True

    def _is_shared(self, part: Part, error: TransferError, suspects: int) -> bool:
        certain = is_certain(error)
        if certain:  # an earlier look must not overrule it
            self._looks.pop(part, None)
        finding = finding_of(error, self._look(part))
        if finding is Finding.WORKS:
            self._suspects[part].clear()
        return must_pause(finding, suspects, certain=certain)

    def _look(self, part: Part) -> TransferError | None:
        """Return why another object, or a small file, fails as well; None if it does not."""
        looked_at, seen = self._looks.get(part, (None, None))
        if looked_at is None or self._clock() - looked_at > RECENT_SECONDS:
            if part is Part.STORAGE:
                seen = self._storage.check()
            else:
                name = self._pauses.recently_synced() or second_look.MISSING_NAME
                seen = second_look.request(self._source, name, SECOND_LOOK_SECONDS)
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
        self._suspects[part].clear()
        self._look_at = self._clock()
        seconds = self._pauses.end(self._names[part])
        if seconds is not None:
            logger.info(
                "pause ended", extra={"part": self._names[part], "seconds": round(seconds, 1)}
            )


def _meets(error: TransferError | None, part: Part) -> bool:
    return error is not None and part_of(error) is part
