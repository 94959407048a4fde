"""The ledger: every accepted object and what became of it. It is the source of truth.

It is also the outbox: a row committed as queued will be delivered, message or no message. The
number of an attempt only ever grows and so fences off a worker that comes back late: what it wants
to record no longer matches the row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from shared.errors import RowRefused
from shared.ledger.actions import Actions
from shared.ledger.callbacks import Callbacks
from shared.ledger.claimed import claim_of
from shared.ledger.database import Database, Transaction
from shared.ledger.failures import refusals
from shared.ledger.found_objects import FoundObjects
from shared.ledger.heartbeats import Heartbeats
from shared.ledger.installation import Installation
from shared.ledger.lookup import Lookup
from shared.ledger.pauses import Pauses
from shared.ledger.reconciling import Reconciling
from shared.ledger.recorder import Recorder
from shared.ledger.replays import Replays
from shared.ledger.rows import (
    LONGEST_DELAY_SECONDS,
    Claim,
    Counts,
    NewObject,
    Outcome,
    Settlement,
    State,
    storable,
)
from shared.ledger.runs import Runs
from shared.ledger.verifications import Verifications
from shared.outcomes import only
from shared.queue.messages import SyncMessage
from shared.storage.object_key import fold

QUERIES = tuple(
    Path(__file__).with_name(f"{name}.sql")
    for name in (
        "queries",
        "lookup",
        "actions",
        "callbacks",
        "verifications",
        "runs",
        "reconciling",
        "found_objects",
    )
)


class Ledger:
    """The operations on the ledger.

    Args:
        database: where it is kept.
        with_callbacks: record what the client is to be told of each outcome.

    Attributes:
        database: as above, for statements of others.
        installation: its identity, and the storage that it is bound to.
        heartbeats: which processes are alive.
        lookup: what became of single requests.
        pauses: what nothing is attempted in, because a fault there concerns all objects.
        actions: what people do with objects.
        verifications: whether stored files still match what was recorded.
        runs: long work that any process can continue.
        reconciling: what a comparison with the bucket reads.
        found_objects: what is recorded of objects that no request told of.
        callbacks: what the client is told.
        replays: what it is told again.
        with_callbacks: as above.

    Every method raises `LedgerUnavailable` if PostgreSQL is unreachable.
    """

    def __init__(self, database: Database, *, with_callbacks: bool = False) -> None:
        self.database = database
        self.with_callbacks = with_callbacks
        self.installation = Installation(database)
        self.pauses = Pauses(database)
        self.heartbeats = Heartbeats(database)
        self.lookup = Lookup(database)
        self.actions = Actions(database)
        self.verifications = Verifications(database)
        self.runs = Runs(database)
        self.reconciling = Reconciling(database)
        self.found_objects = FoundObjects(database)
        self.callbacks = Callbacks(database)
        self.replays = Replays(database)
        self._recorder = Recorder(database)

    @classmethod
    def at(cls, url: str) -> Self:
        """Return the ledger in a database, given by URL; it connects when first used."""
        return cls(Database(url, *QUERIES))

    def record(self, new: NewObject, due_in: float) -> int | None:
        """Record an accepted request; the commit has happened when this returns.

        Args:
            new: the request.
            due_in: seconds that its message may take before the row is published again.

        Returns:
            The row's id, or None if a request with this signature was recorded before.

        Raises:
            RowRefused: PostgreSQL does not take this request's values.
        """
        return only(self.record_all([new], due_in))

    def record_all(self, news: Sequence[NewObject], due_in: float) -> list[int | Exception | None]:
        """Record several accepted requests in one statement and one commit.

        Args:
            news: the requests, some dozens: each locks a counter until all are committed.
            due_in: as of `record`.

        Returns:
            For each what `record` would return, or the error that it would raise.
        """
        return self._recorder.record_all(news, due_in)

    def claim(
        self,
        row_ids: Collection[int],
        *,
        lease_seconds: float,
        max_attempts: int,
        suspect: bool = False,
        grouped: bool = False,
        one_per_name: bool = False,
        most: int | None = None,
    ) -> list[Claim]:
        """Claim the rows that may be attempted now, for one attempt each.

        Args:
            row_ids: the rows that messages named; unknown ids are ignored.
            lease_seconds: how long no other worker can claim them.
            max_attempts: rows with this many attempts are skipped.
            suspect: claim only rows whose last worker is presumed dead, instead of only others.
            grouped: leave out suspects that must be attempted alone.
            one_per_name: leave out rows that wait for another of their name, see `waiting`.
            most: the largest number of rows to claim; those that were attempted least come first.
        """
        rows = self.database.run(
            "claim",
            row_ids=list(row_ids),
            suspect=suspect,
            grouped=grouped,
            one_per_name=one_per_name,
            most=len(row_ids) if most is None else most,
            lease_seconds=lease_seconds,
            max_attempts=max_attempts,
        )
        return [claim_of(row) for row in rows]

    def waiting(self, row_ids: Sequence[int], max_attempts: int) -> dict[int, str]:
        """Return the file names of rows that wait because another of their name is attempted.

        Args:
            row_ids: the rows that were not claimed.
            max_attempts: see `claim`.
        """
        rows = self.database.run("waiting", row_ids=list(row_ids), max_attempts=max_attempts)
        return {row.id: row.file_name for row in rows}

    def waiting_for(self, names: Sequence[str], most: int) -> list[int]:
        """Return rows that may be claimed now and have had no file yet, by their names.

        Args:
            names: the names.
            most: the largest number of rows.
        """
        rows = self.database.run("waiting_for", names=list(names), most=most)
        return [row.id for row in rows]

    def undelivered(self, most: int, newest: int, delivery_seconds: float) -> list[int]:
        """Return rows that may be claimed now although no message has named them yet.

        Args:
            most: the largest number of rows.
            newest: how many of them are the newest; the others have waited longest.
            delivery_seconds: see `record`; what is due later than in this time is left out of the
                latter.
        """
        rows = self.database.run(
            "undelivered", most=most, newest=newest, delivery_seconds=delivery_seconds
        )
        return [row.id for row in rows]

    def hand_back(self, row_ids: Sequence[int]) -> None:
        """Make rows due at once that were delivered to a worker which did not come to them."""
        self.database.run("hand_back", row_ids=list(row_ids))

    def extend(self, claims: Sequence[Claim], lease_seconds: float) -> set[int]:
        """Extend the leases of running claims, and return the row ids that are still theirs."""
        rows = self.database.run(
            "extend",
            row_ids=[c.wanted.row_id for c in claims],
            attempts=[c.wanted.attempt for c in claims],
            lease_seconds=lease_seconds,
        )
        return {row.id for row in rows}

    @contextmanager
    def placing(self) -> Iterator[Placing]:
        """Open the transaction in which files are renamed into place.

        The rows are locked meanwhile: no other worker can claim one while its worker is about to
        rename a file, however long that worker is frozen. Nothing slow belongs into it.
        """
        with self.database.transaction() as step:
            yield Placing(step)

    def settle(self, settlements: Sequence[Settlement]) -> dict[int, Settlement]:
        """Record how claims ended, and return what was recorded, by row id.

        One statement does it. If PostgreSQL refuses that, each claim is recorded by itself, and the
        one that is refused alone as failed for that reason.
        """
        try:
            with refusals():
                rows = self.database.run(
                    "settle", **_columns(settlements), callbacks=self.with_callbacks
                )
                ids = {row.id for row in rows}
            return {s.claim.wanted.row_id: s for s in settlements if s.claim.wanted.row_id in ids}
        except RowRefused as refused:
            if len(settlements) > 1:
                alone = [self.settle([settlement]) for settlement in settlements]
                return {row_id: s for recorded in alone for row_id, s in recorded.items()}
            failed = refused_settlement(settlements[0].claim, refused)
            if failed == settlements[0]:
                raise
            return self.settle([failed])

    def due_retries(self, most: int, max_attempts: int) -> list[int]:
        """Return ids of rows that may be attempted again now, those first that waited longest.

        Args:
            most: the largest number of ids.
            max_attempts: rows with this many attempts are left out.
        """
        rows = self.database.run("due_retries", most=most, max_attempts=max_attempts)
        return [row.id for row in rows]

    def take_due(
        self, most: int, delivery_seconds: float, *, retries: bool = False
    ) -> list[SyncMessage]:
        """Take the rows whose messages must be published now.

        Args:
            most: the largest number of rows to take.
            delivery_seconds: seconds after which they are due again.
            retries: take only rows that were attempted before.

        Returns:
            The message of each.
        """
        rows = self.database.run(
            "take_due", most=most, delivery_seconds=delivery_seconds, retries=retries
        )
        return [SyncMessage(row.id, row.request_id) for row in rows]

    def take_late(
        self,
        most: int,
        *,
        late_seconds: float,
        delivery_seconds: float,
        max_attempts: int,
        paused_by: Collection[str],
    ) -> list[SyncMessage]:
        """Take rows whose messages are late, those that have waited longest first.

        Args:
            most: the largest number of rows to take.
            late_seconds: how long after it was published a row that nobody claims is late.
            delivery_seconds: how long a message may take; rows are due after twice that, unless
                they are claimed.
            max_attempts: rows with this many attempts are left out.
            paused_by: names of pauses during which there are none to take.

        Returns:
            The message of each; it may have a second one in the queue, which does no harm.
        """
        rows = self.database.run(
            "take_late",
            most=most,
            late_seconds=late_seconds,
            delivery_seconds=delivery_seconds,
            max_attempts=max_attempts,
            paused_by=list(paused_by),
        )
        return [SyncMessage(row.id, row.request_id) for row in rows]

    def bring_forward(self, horizon: float) -> list[int]:
        """Make rows due that are due later than in `horizon` seconds, and return their ids."""
        return [row.id for row in self.database.run("bring_forward", horizon=horizon)]

    def fail_exhausted(self, max_attempts: int) -> dict[int, str]:
        """Fail the rows whose workers died once too often; return the request's id of each."""
        rows = self.database.run(
            "fail_exhausted", max_attempts=max_attempts, callbacks=self.with_callbacks
        )
        return {row.id: row.request_id for row in rows}

    def counts(self) -> Counts:
        """Return the exact numbers by state, at a cost that no number of rows changes."""
        found = {State(row.state): row for row in self.database.run("counts")}
        objects = {state: row.objects for state, row in found.items()}
        return Counts(
            synced=objects.get(State.SYNCED, 0),
            queued=objects.get(State.QUEUED, 0),
            failed=objects.get(State.FAILED, 0),
            bytes_stored=found[State.SYNCED].bytes if State.SYNCED in found else 0,
            dismissed=objects.get(State.DISMISSED, 0),
        )

    def oldest_queued_seconds(self) -> float | None:
        """Return the seconds that the oldest queued object has waited, None if none waits."""
        rows = self.database.run("oldest_queued")
        return rows[0].seconds if rows else None

    def ping(self) -> None:
        """Return once the ledger answers."""
        self.database.run("ping")

    def close(self) -> None:
        """Close the connections that are not in use."""
        self.database.close()


class Placing:
    """The open transaction of `Ledger.placing`."""

    def __init__(self, step: Transaction) -> None:
        self._step = step

    def hold(
        self, claims: Sequence[tuple[Claim, str | None]], in_place: Collection[int] = ()
    ) -> dict[int, bool]:
        """Lock the claims that are still held by their worker, and note those placed now.

        Names that a storage may take for one are locked as one.

        Args:
            claims: each claim with the ETag of the download that it wants to place.
            in_place: ids of rows whose copy is in place already.

        Returns:
            For each locked row id, whether another version was placed under its name since the
            claim, so that this download may be the older one and must not be placed. Of a copy in
            place: whether another version was placed last.
        """
        names = [fold(claim.wanted.file_name) for claim, _ in claims]
        locked = self._step("lock_names", folded_names=names)
        if locked and not locked[0].freed_if_frozen:
            self._step("free_if_frozen")
        rows = self._step(
            "hold",
            row_ids=[c.wanted.row_id for c, _ in claims],
            attempts=[c.wanted.attempt for c, _ in claims],
            etags=[storable(etag) for _, etag in claims],
            in_place=[c.wanted.row_id in in_place for c, _ in claims],
        )
        return {row.id: bool(row.outdated) for row in rows}


def _columns(settlements: Sequence[Settlement]) -> dict[str, list[object]]:
    unproven = [s.unproven for s in settlements]
    copies = [s.fetched if s.outcome is Outcome.SYNCED else None for s in settlements]
    wanted = [s.claim.wanted for s in settlements]
    return {
        "row_ids": [w.row_id for w in wanted],
        "attempts": [w.attempt for w in wanted],
        "outcomes": [s.outcome.value for s in settlements],
        "reasons": [storable(s.reason) for s in settlements],
        "delays": [min(s.delay, LONGEST_DELAY_SECONDS) for s in settlements],
        "forgiven": [0 if s.counted else 1 for s in settlements],
        "paths": [w.file_name if c else None for w, c in zip(wanted, copies, strict=True)],
        "sizes": [c.size if c else None for c in copies],
        "digests": [c.sha256 if c else None for c in copies],
        "etags": [storable(c.etag) if c else None for c in copies],
        "verified_by": [c.verified_by if c else None for c in copies],
        "unproven_etags": [storable(u.etag) if u else None for u in unproven],
        "unproven_sizes": [u.size if u else None for u in unproven],
        "unproven_digests": [u.sha256 if u else None for u in unproven],
    }


def refused_settlement(claim: Claim, refused: RowRefused) -> Settlement:
    """Return what is recorded of an outcome that PostgreSQL does not take."""
    return Settlement(claim, Outcome.FAILED, reason=str(refused))
