"""Callbacks: what the client is told about its objects, an outbox beside that of the queue.

`Ledger.settle` records them in the transaction of the outcome. They are delivered at least once,
those of one name in order, and given up a day after that.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.ledger.database import Database, Row
from shared.ledger.rows import LONGEST_DELAY_SECONDS, storable

REPLAYED = 5_000
"""Callbacks that one statement replays."""

NEVER_ANSWERED = "The receiver did not answer for a day"


class CallbackState(enum.StrEnum):
    """State of a callback."""

    PENDING = "pending"
    """It is yet to be delivered."""
    DELIVERED = "delivered"
    """The receiver has confirmed it."""
    UNDELIVERED = "undelivered"
    """Given up after a day, with a reason; a person may replay it."""


@dataclass(frozen=True, slots=True)
class CallbackClaim:
    """A callback that one process holds for one attempt.

    Attributes:
        id: its number.
        message_id: the receiver's idempotency key, the same for every attempt and replay.
        event: its type, such as "object.synced".
        data: the object as it was then, a JSON document.
        created_at: when the outcome was recorded (aware).
        attempt: fences off a process that comes back late.
        counted_attempts: attempts since it was recorded or replayed, this one included.
    """

    id: int
    message_id: str
    event: str
    data: str
    created_at: datetime
    attempt: int
    counted_attempts: int


@dataclass(frozen=True, slots=True)
class CallbackResult:
    """How an attempt ended.

    Attributes:
        claim: the claim.
        reason: why it was not delivered, as people read it; None if it was.
        delay: seconds until the next attempt.
        counted: whether the attempt counts; not if the receiver was away as a whole.
    """

    claim: CallbackClaim
    reason: str | None = None
    delay: float = 0.0
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Callback:
    """A callback as people see it.

    Attributes:
        id: its number.
        message_id: as in `CallbackClaim`.
        row_id: the object.
        file_name: the object's.
        event: its type.
        state: whether it is delivered.
        attempts: since it was recorded or replayed.
        created_at: when the outcome was recorded (aware).
        next_attempt_at: only meaningful while it is pending.
        delivered_at: when the receiver confirmed it.
        reason: why the last attempt failed.
    """

    id: int
    message_id: str
    row_id: int
    file_name: str
    event: str
    state: CallbackState
    attempts: int
    created_at: datetime
    next_attempt_at: datetime
    delivered_at: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class CallbackCounts:
    """Exact numbers of callbacks that are not delivered.

    Attributes:
        pending: yet to be delivered.
        undelivered: given up.
        oldest_seconds: how long the oldest pending one has waited; None if none is pending.
    """

    pending: int
    undelivered: int
    oldest_seconds: float | None


class Callbacks:
    """The operations on callbacks.

    Args:
        database: with the ledger's statements.

    Every method raises `LedgerUnavailable` if PostgreSQL is unreachable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, most: int, lease_seconds: float, *, probe: bool = False) -> list[CallbackClaim]:
        """Claim callbacks that are due, for one attempt each, at most one of each name.

        Args:
            most: the largest number.
            lease_seconds: how long no other process can claim them.
            probe: claim whether they are due or not, those first that were attempted least.
        """
        rows = self._database.run(
            "claim_callbacks", most=most, lease_seconds=lease_seconds, probe=probe
        )
        claims = [CallbackClaim(*row) for row in rows]
        return sorted(claims, key=lambda claim: claim.id)

    def settle(self, results: Sequence[CallbackResult]) -> dict[int, CallbackState]:
        """Record how attempts ended; return the state of each, by id, that was still held."""
        if not results:
            return {}
        rows = self._database.run(
            "settle_callbacks",
            ids=[result.claim.id for result in results],
            attempts=[result.claim.attempt for result in results],
            reasons=[storable(result.reason) for result in results],
            delays=[min(result.delay, LONGEST_DELAY_SECONDS) for result in results],
            counted=[result.counted for result in results],
        )
        return {row.id: CallbackState(row.state) for row in rows}

    def give_back(self, claims: Sequence[CallbackClaim]) -> None:
        """Give back claims that were not attempted: any process may claim them at once."""
        if claims:
            self._database.run(
                "return_callbacks",
                ids=[claim.id for claim in claims],
                attempts=[claim.attempt for claim in claims],
            )

    def hasten(self) -> int:
        """Make all pending callbacks due: the receiver answers again. Return their number."""
        return len(self._database.run("hasten_callbacks"))

    def give_up(self) -> int:
        """Give up those whose day has passed while nothing was attempted; return their number."""
        return len(self._database.run("give_up_callbacks", reason=NEVER_ANSWERED))

    def counts(self) -> CallbackCounts:
        """Return the exact numbers of callbacks that are not delivered."""
        (row,) = self._database.run("callback_counts")
        return CallbackCounts(row.pending, row.undelivered, row.oldest_seconds)

    def of(self, row_id: int) -> list[Callback]:
        """Return the callbacks of one object, oldest first."""
        return [_callback(row) for row in self._database.run("callbacks_of", row_id=row_id)]

    def list(
        self, state: CallbackState, most: int, before_id: int | None = None
    ) -> Sequence[Callback]:
        """Return callbacks of one state, newest first.

        Args:
            state: the state.
            most: the largest number.
            before_id: only callbacks older than this one.
        """
        rows = self._database.run(
            "list_callbacks", state=state.value, before_id=before_id, most=most
        )
        return [_callback(row) for row in rows]

    def replay(
        self,
        *,
        ids: Collection[int] | None = None,
        row_ids: Collection[int] | None = None,
        since: datetime | None = None,
        undelivered: bool = True,
    ) -> int:
        """Let callbacks be delivered (again), with another day to do so; return their number.

        Those are chosen that match every condition. What is pending is left as it is.

        Args:
            ids: of callbacks.
            row_ids: of objects.
            since: recorded at or after this moment (aware).
            undelivered: only those that were given up; otherwise delivered ones as well.
        """
        replayed = 0
        while True:
            more = len(
                self._database.run(
                    "replay_callbacks",
                    ids=None if ids is None else list(ids),
                    row_ids=None if row_ids is None else list(row_ids),
                    since=since,
                    undelivered=undelivered,
                    most=REPLAYED,
                )
            )
            replayed += more
            if more < REPLAYED:
                return replayed


def _callback(row: Row) -> Callback:
    return Callback(
        row.id,
        row.message_id,
        row.file_sync_id,
        row.file_name,
        row.event,
        CallbackState(row.state),
        row.attempts,
        row.created_at,
        row.next_attempt_at,
        row.delivered_at,
        row.last_error,
    )
