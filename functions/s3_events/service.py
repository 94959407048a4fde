"""Recording what a store tells of: once for each version of an object, and due at once.

An event only says that there is something to fetch. The worker fetches what the object is by then,
so that the order of events does not matter: see docs/decisions/0030-s3-events.md.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from functions.s3_events.happenings import Created, Happening, Passed, Unreadable, Wanted
from functions.s3_events.known import Again, judge
from shared.errors import EventElsewhere, EventUnreadable, RowRefused
from shared.http.refusal_log import RefusalLog
from shared.ledger.actions import Action
from shared.ledger.found_objects import FoundObject
from shared.ledger.ledger import Ledger
from shared.ledger.rows import storable
from shared.ledger.selection import Origin, Selection
from shared.media_types import file_type
from shared.metrics import tally
from shared.metrics.catalog import S3_EVENTS
from shared.queue.publisher import Publisher
from shared.storage.object_key import check_key

logger = logging.getLogger(__name__)

ACTOR = "S3 event"
"""Actor of the actions on objects that were recorded before."""

PORTION = 1_000
"""Objects in one statement, so that a lock on the counters is never held for long."""


@dataclass(frozen=True, slots=True)
class Config:
    """Which objects are recorded.

    Attributes:
        bucket: the only bucket whose objects are copied.
        delivery_seconds: how long a recorded row's message may take.
    """

    bucket: str
    delivery_seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """What became of the objects of one call.

    Attributes:
        recorded: that were not recorded before.
        again: recorded before, and queued again.
        known: recorded before, with nothing to do.
    """

    recorded: int = 0
    again: int = 0
    known: int = 0

    def __add__(self, other: Report) -> Report:
        """Return the sum of both."""
        return Report(
            self.recorded + other.recorded, self.again + other.again, self.known + other.known
        )


class S3Events:
    """Records the objects that events tell of.

    Args:
        config: which.
        ledger: where they are recorded.
        publisher: sends the message that names a recorded row.
        elsewhere: log of the events of other buckets.
    """

    def __init__(
        self, config: Config, ledger: Ledger, publisher: Publisher, elsewhere: RefusalLog
    ) -> None:
        self._config = config
        self._ledger = ledger
        self._publisher = publisher
        self._elsewhere = elsewhere

    def sift(self, happenings: Iterable[Happening]) -> tuple[Wanted, list[EventUnreadable]]:
        """Return the objects to be recorded, and what cannot be read; log and count the others."""
        wanted: dict[bytes, Created] = {}
        unreadable: list[EventUnreadable] = []
        for happening in happenings:
            match happening:
                case Unreadable(reason):
                    unreadable.append(EventUnreadable(reason))
                    logger.error("unreadable event", extra={"reason": reason})
                    tally.count(S3_EVENTS, "unreadable")
                case Passed():
                    tally.count(S3_EVENTS, "ignored")
                case Created() if self._is_wanted(happening):
                    wanted[happening.checksum] = happening
        return wanted, unreadable

    def record(self, wanted: Wanted, request_id: str) -> Report:
        """Record objects; when this returns, their rows are committed.

        Args:
            wanted: the objects, of `sift`.
            request_id: of this call, for those whose event has none.

        Raises:
            LedgerUnavailable: not all of them are recorded, so that the events must come again.
        """
        report = Report()
        for portion in _portions(wanted):
            report += self._record(portion, request_id)
        for outcome, number in (
            ("recorded", report.recorded),
            ("again", report.again),
            ("known", report.known),
        ):
            if number:
                tally.count(S3_EVENTS, outcome, by=number)
        return report

    def _is_wanted(self, created: Created) -> bool:
        if created.bucket != self._config.bucket:
            self._elsewhere.add(storable(created.bucket) or "", EventElsewhere())
            tally.count(S3_EVENTS, "elsewhere")
            return False
        if created.key.endswith("/") and not created.size:
            tally.count(S3_EVENTS, "ignored")  # it only makes a folder visible in a console
            return False
        reason = check_key(created.key)
        if reason is not None:
            _refuse(created.key, f"its name {reason}")
            return False
        return True

    def _record(self, wanted: Wanted, request_id: str) -> Report:
        new, refused = self._insert(
            [
                FoundObject(
                    created.key, file_type(created.key), checksum, created.request_id or request_id
                )
                for checksum, created in wanted.items()
            ]
        )
        for checksum, row_id in new.items():
            self._publisher.publish(row_id, wanted[checksum].request_id or request_id)
        before = {key: one for key, one in wanted.items() if key not in new and key not in refused}
        if not before:
            return Report(len(new))
        again = judge(before, self._ledger.found_objects.recorded(before))
        queued = self._queue_again(again, request_id)
        if again.anew:
            extra = self._record(again.anew, request_id)
            queued += extra.recorded
        return Report(len(new), queued, len(before) - queued)

    def _insert(self, found: Sequence[FoundObject]) -> tuple[dict[bytes, int], set[bytes]]:
        """Record objects; return the rows of the new ones, and which PostgreSQL does not take."""
        try:
            record = self._ledger.found_objects.record
            return record(found, Origin.S3_EVENT, self._config.delivery_seconds), set()
        except RowRefused as refused:
            # The ledger is stricter than this service, by a constraint that was added there.
            if len(found) == 1:
                _refuse(found[0].file_name, str(refused))
                return {}, {found[0].checksum}
        halves = len(found) // 2
        first, second = self._insert(found[:halves]), self._insert(found[halves:])
        return first[0] | second[0], first[1] | second[1]

    def _queue_again(self, again: Again, request_id: str) -> int:
        """Perform actions, so that the audit log shows them, and return how many are queued."""
        for action, row_ids in (
            (Action.RESTORE, again.restore),
            (Action.RETRY, again.retry),
            (Action.FETCH_AGAIN, again.fetch_again),
        ):
            if row_ids:
                self._ledger.actions.perform(action, Selection(ids=tuple(row_ids)), ACTOR)
        queued = [*again.retry, *again.fetch_again]
        for row_id in queued:
            self._publisher.publish(row_id, request_id)
        return len(queued)


def _refuse(key: str, reason: str) -> None:
    logger.error("object refused", extra={"file_name": storable(key), "reason": reason})
    tally.count(S3_EVENTS, "refused")


def _portions(wanted: Wanted) -> Iterator[Wanted]:
    items = iter(wanted.items())
    while portion := dict(islice(items, PORTION)):
        yield portion
