"""The timeline of one object: what the ledger has recorded of it, in the order of time. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from functions.admin.records import Attempt, ObjectDetails
from shared.ledger.actions import Action
from shared.ledger.callbacks import Callback, CallbackState
from shared.ledger.rows import State
from shared.ledger.selection import PROBLEMS, Origin

RECEIVED = {
    Origin.REQUEST: "Request received and queued",
    Origin.RECONCILE: "Found in the bucket and queued",
    Origin.S3_EVENT: "Event received and queued",
}

_OUTCOMES = {"synced": "synced", "retry": "failed, will be retried", "failed": "failed"}

FOLDED = 12
"""A longer timeline shows its first and its last entries; those between them unfold."""

FIRST, LAST = 2, 8
"""Entries that a folded timeline shows at its beginning and its end."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One recorded event.

    Attributes:
        at: when (aware).
        title: what happened, in a few words.
        tone: its color: ok, bad, warn, person or "".
        detail: the reason, or what came of it.
        actor: who did it; "" for the service itself.
        seconds: how long it took, None if it took no time.
        upcoming: it has not happened yet.
    """

    at: datetime
    title: str
    tone: str = ""
    detail: str = ""
    actor: str = ""
    seconds: float | None = None
    upcoming: bool = False


def timeline(
    details: ObjectDetails,
    attempts: Sequence[Attempt],
    callbacks: Sequence[Callback],
    now: datetime,
) -> list[Entry]:
    """Return the events of an object, the earliest first, and what is due next at the end.

    Nothing is derived: what old history was pruned of is not there, with one exception. The times
    at which the object was synced or failed are its own, so these events remain without the
    attempt that led to them.

    Args:
        details: the object.
        attempts: its attempts and the actions on it, in any order.
        callbacks: what the client was told of it.
        now: the time.
    """
    past = [
        Entry(details.created_at, RECEIVED[Origin(details.origin)]),
        *(_attempt(attempt) for attempt in attempts),
        *_own(details, attempts),
        *(entry for callback in callbacks for entry in _callback(callback)),
    ]
    # Stable: what has one time stays in the order above.
    return [*sorted(past, key=lambda entry: entry.at), *_next(details, now)]


def folded(entries: Sequence[Entry]) -> tuple[Sequence[Entry], Sequence[Entry], Sequence[Entry]]:
    """Return the first entries, those that are folded away, and the last ones."""
    if len(entries) <= FOLDED:
        return entries, (), ()
    return entries[:FIRST], entries[FIRST:-LAST], entries[-LAST:]


def _attempt(attempt: Attempt) -> Entry:
    reason = attempt.reason or ""
    if attempt.actor is not None:
        title = Action(attempt.outcome).done.capitalize()
        detail = f"after: {reason}" if reason else ""
        return Entry(attempt.finished_at, title, "person", detail, attempt.actor)
    if attempt.outcome == "requeued":  # of an earlier version, which recorded no actor
        return Entry(attempt.finished_at, "Queued for retry", "person", reason)
    number = f"Attempt {attempt.attempt}"
    seconds = (attempt.finished_at - attempt.started_at).total_seconds()
    if attempt.outcome == "lost":
        return Entry(attempt.finished_at, f"{number}: the worker died", "warn", reason, "", seconds)
    tone = {"synced": "ok", "failed": "bad"}.get(attempt.outcome, "warn")
    title = f"{number} {_OUTCOMES[attempt.outcome]}"
    return Entry(attempt.finished_at, title, tone, reason, "", seconds)


def _own(details: ObjectDetails, attempts: Sequence[Attempt]) -> Iterator[Entry]:
    """Yield what is recorded of the object itself and not in its history."""
    ended = {attempt.outcome for attempt in attempts if attempt.actor is None}
    if details.synced_at and "synced" not in ended:
        yield Entry(details.synced_at, "Synced", "ok")
    if details.failed_at and not ended & {"failed", "lost"}:
        yield Entry(details.failed_at, "Failed", "bad", details.last_error or "")
    if details.checked_at:
        problem = details.verification in set(PROBLEMS)
        result = "OK" if details.verification == "ok" else details.verification
        title = f"File verified: {result}"
        tone = "bad" if problem else "ok" if details.verification == "ok" else "warn"
        yield Entry(details.checked_at, title, tone)


def _callback(callback: Callback) -> Iterator[Entry]:
    about = f"Callback {callback.event}"
    yield Entry(callback.created_at, f"{about} recorded")
    if callback.state is CallbackState.DELIVERED and callback.delivered_at:
        yield Entry(callback.delivered_at, f"{about} delivered", "ok")


def _next(details: ObjectDetails, now: datetime) -> Iterator[Entry]:
    if details.verification_requested_at:
        yield Entry(
            details.verification_requested_at, "Verification requested", detail="not done yet"
        )
    if details.state is not State.QUEUED:
        return
    if details.leased_until and details.claimed_at:
        title = f"Attempt {details.attempts} running"
        seconds = max(0.0, (now - details.claimed_at).total_seconds())
        yield Entry(details.claimed_at, title, seconds=seconds, upcoming=True)
    elif details.next_attempt_at > now:
        yield Entry(details.next_attempt_at, f"Attempt {details.attempts + 1} due", upcoming=True)
    else:
        yield Entry(details.queued_at, "Waiting for a worker since", upcoming=True)
