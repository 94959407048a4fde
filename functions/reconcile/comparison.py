"""What one object of the bucket is beside the ledger and the storage. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.ledger.reconciling import Known, Stored
from shared.ledger.rows import State
from shared.sources.listing import ListedObject
from shared.storage.inventory import NOTHING, FileFound
from shared.storage.object_key import check_key

FUTURE = timedelta(minutes=15)
"""An object that is newer than now by more than clocks differ was dated by hand, not made now."""


class Verdict(enum.StrEnum):
    """What was found; the names of a run's numbers, and of its findings."""

    MATCHING = "matching"
    """The copy is the object."""
    MISSED = "missed"
    """Nothing has told of the object."""
    MISSING = "missing"
    """It was copied, and its file is not there any more."""
    DIFFERENT = "different"
    """The file's size is not as recorded, or the bucket has another version of the object."""
    QUEUED = "queued"
    """It waits for a worker."""
    FAILED = "failed"
    """It could not be copied, and needs attention."""
    DISMISSED = "dismissed"
    """The same, and a person lets it be."""
    REFUSED = "refused"
    """Its key cannot be a file name."""
    LATER = "later"
    """The object or its copy is newer than the run: the next run will compare it."""
    GONE = "gone"
    """It was copied, and the bucket has no such object any more."""
    ORPHANED = "orphaned"
    """A file that neither the ledger nor the bucket has the name of."""


DOUBTFUL = frozenset({Verdict.MISSED, Verdict.MISSING, Verdict.DIFFERENT})
"""What is looked at twice: it may have changed between the looks at the three places."""


class Remedy(enum.Enum):
    """What puts it right."""

    RECORD = "record"
    """Record the object: there is no row of this version of it."""
    FETCH_AGAIN = "fetch again"
    """Fetch the recorded object again: its file is not right."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of one comparison.

    Attributes:
        verdict: what the object is.
        detail: what differs, for people.
        remedy: what puts it right; None if nothing has to be, or can.
        stored: the row that the ledger has a file of.
    """

    verdict: Verdict
    detail: str | None = None
    remedy: Remedy | None = None
    stored: Stored | None = None


MATCHING = Judgement(Verdict.MATCHING)
"""Of nearly all objects, so it is made once."""


def refusal(listed: ListedObject) -> str | None:
    """Return why an object's key cannot be a file name, None where it can be."""
    if is_folder_marker(listed):
        return "it marks a folder, and has no content"
    reason = check_key(listed.key)
    return None if reason is None else f"its name {reason}"


def is_folder_marker(listed: ListedObject) -> bool:
    """Return whether an object only makes a folder visible in a console."""
    return listed.key.endswith("/") and listed.size == 0


def judge(
    listed: ListedObject, known: Known | None, found: FileFound, begun: datetime, now: datetime
) -> Judgement:
    """Compare one object of the bucket.

    =====================================  ======================================
    the object                             is
    =====================================  ======================================
    ledger has no row; made since `begun`  later
    ledger has no row                      missed: record it
    a row of the name is queued            queued
    no file was placed                     failed or dismissed, as the newest row
    a file was placed since `begun`        later
    bucket has another version             as the newest row where it failed or was
                                           dismissed; else different: record it
    the row of the file failed since       failed or dismissed
    no file on disk                        missing: fetch it again
    its size is not as recorded            different: fetch it again
    otherwise                              matching
    =====================================  ======================================

    Args:
        listed: the object.
        known: what the ledger has of its name.
        found: what the storage has under its name.
        begun: when the run began, by the ledger's clock.
        now: the time.
    """
    if known is None:
        if listed.modified is not None and begun <= listed.modified < now + FUTURE:
            return Judgement(Verdict.LATER)
        return Judgement(Verdict.MISSED, None, Remedy.RECORD)
    if known.queued:
        return Judgement(Verdict.QUEUED)
    if known.stored is None:
        return Judgement(_unsynced(known.newest))
    if known.stored.placed_at >= begun:
        return Judgement(Verdict.LATER)
    return _judge_copy(listed, known.stored, known.newest, found)


def _judge_copy(listed: ListedObject, stored: Stored, newest: State, found: FileFound) -> Judgement:
    version = differs(listed, stored)
    if version is not None:
        if newest is not State.SYNCED:
            return Judgement(_unsynced(newest))
        return Judgement(Verdict.DIFFERENT, version, Remedy.RECORD, stored)
    if stored.state is not State.SYNCED:
        return Judgement(_unsynced(stored.state))
    problem = file_problem(stored, found)
    if problem is None:
        return MATCHING
    verdict, detail = problem
    return Judgement(verdict, detail, Remedy.FETCH_AGAIN, stored)


def differs(listed: ListedObject, stored: Stored) -> str | None:
    """Return in what the bucket's object is another one than the copied, None where in nothing.

    Where both have an ETag it decides with the size, and the date says nothing: an object that was
    put again with the same content is newer, and the same. A date alone decides for a source
    without ETags.
    """
    if listed.size != stored.size:
        return f"the bucket has {listed.size} bytes, the copy {stored.size}"
    if listed.etag and stored.etag:
        if listed.etag.lower() != stored.etag.lower():
            return f"the bucket has ETag {listed.etag}, the copy {stored.etag}"
    elif listed.modified is not None and listed.modified > stored.placed_at:
        return f"the bucket's object is newer: {listed.modified.isoformat()}"
    return None


def file_problem(stored: Stored, found: FileFound) -> tuple[Verdict, str | None] | None:
    """Return what is wrong with the file of a copied object, None if nothing is."""
    if found == NOTHING:
        return Verdict.MISSING, None
    if found.size is None:
        return Verdict.MISSING, found.detail
    if found.size != stored.size:
        return Verdict.DIFFERENT, f"the file has {found.size} bytes, the copy had {stored.size}"
    return None


def _unsynced(state: State) -> Verdict:
    return {State.FAILED: Verdict.FAILED, State.DISMISSED: Verdict.DISMISSED}.get(
        state, Verdict.QUEUED
    )
