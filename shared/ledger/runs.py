"""Runs: long work over many objects, which any process can continue.

A run is recorded first. A process takes it under a lease, works on it in slices, and records its
position after each. If the process dies, another one continues from there.
"""

from __future__ import annotations

import enum
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.ledger.database import Database, Row
from shared.ledger.heartbeats import this_process
from shared.ledger.rows import storable

LEASE_SECONDS = 60.0
"""A process that has recorded no progress for this long is presumed dead."""

PAGE = 1_000
"""Findings read at a time."""


class Kind(enum.StrEnum):
    """What a run does. One of each kind may be running."""

    RECONCILE = "reconcile"
    SCRUB = "scrub"


class RunState(enum.StrEnum):
    """State of a run."""

    RUNNING = "running"
    """There is work left, even if no process holds the run at the moment."""
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Run:
    """A run.

    Attributes:
        id: its number.
        kind: what it does.
        actor: who began it, as in the audit log of actions.
        options: its parameters, in its function's form.
        state: whether it is running, and how it ended.
        begun_at: when it was recorded (aware).
        finished_at: when it ended.
        position: where to continue, None at the beginning; in its function's form.
        numbers: the counts so far, by name.
        error: why it failed, or what it waits for.
    """

    id: int
    kind: Kind
    actor: str
    options: Mapping[str, Any]
    state: RunState
    begun_at: datetime
    finished_at: datetime | None
    position: Any
    numbers: Mapping[str, int]
    error: str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One object that a run reports.

    Attributes:
        finding: what is wrong with it, such as "missing".
        file_name: its name.
        row_id: its row, if the ledger has one.
        size: bytes, as found.
        etag: as found.
        detail: what differs, for people.
    """

    finding: str
    file_name: str
    row_id: int | None = None
    size: int | None = None
    etag: str | None = None
    detail: str | None = None


class Runs:
    """The operations on runs.

    Args:
        database: with the ledger's statements.
        holder: the process that takes runs; by default this one.

    Every method raises `LedgerUnavailable` if PostgreSQL is unreachable.
    """

    def __init__(self, database: Database, holder: str = "") -> None:
        self._database = database
        # Two execution environments of Lambda may have one name.
        self._holder = holder or f"{this_process()}:{uuid.uuid4().hex[:8]}"

    def begin(self, kind: Kind, actor: str, options: Mapping[str, Any]) -> int | None:
        """Record a run, and return its id; None if one of this kind is running."""
        with self._database.transaction() as step:  # never twice, as `run` might
            rows = step(
                "begin_run", kind=kind.value, actor=actor, options=json.dumps(dict(options))
            )
        return int(rows[0].id) if rows else None

    def take(self, kind: Kind, lease_seconds: float = LEASE_SECONDS) -> Run | None:
        """Take the running run of a kind unless another process holds it; None if there is none."""
        rows = self._database.run(
            "take_run", kind=kind.value, holder=self._holder, lease_seconds=lease_seconds
        )
        return _run(rows[0]) if rows else None

    def save(
        self,
        run_id: int,
        position: Any,
        numbers: Mapping[str, int],
        findings: Sequence[Finding] = (),
        *,
        error: str | None = None,
        lease_seconds: float = LEASE_SECONDS,
    ) -> bool:
        """Record a run's position, counts and new findings in one transaction.

        Args:
            run_id: the run, taken by this process.
            position: where to continue; anything that JSON can hold.
            numbers: the counts since the beginning.
            findings: those since the last call.
            error: what it waits for, if anything.
            lease_seconds: seconds for which no other process may take it.

        Returns:
            Whether the run is still this process's: it may have been cancelled.
        """
        with self._database.transaction() as step:
            held = step(
                "save_run",
                run_id=run_id,
                holder=self._holder,
                lease_seconds=lease_seconds,
                position=json.dumps(position),
                numbers=json.dumps(dict(numbers)),
                error=storable(error),
            )
            if held and findings:
                step("add_findings", run_id=run_id, **_columns(findings))
        return bool(held)

    def release(self, run_id: int) -> None:
        """Let another process take a run that this process holds at once."""
        self._database.run("release_run", run_id=run_id, holder=self._holder)

    def end(self, run_id: int, state: RunState, error: str | None = None) -> bool:
        """End a run, and return whether it was running."""
        rows = self._database.run(
            "end_run", run_id=run_id, outcome=state.value, error=storable(error)
        )
        return bool(rows)

    def get(self, run_id: int) -> Run:
        """Return one run.

        Raises:
            LookupError: there is none with this id.
        """
        rows = self._database.run("run", run_id=run_id)
        if not rows:
            raise LookupError(run_id)
        return _run(rows[0])

    def newest(
        self, most: int, kind: Kind | None = None, before_id: int | None = None
    ) -> list[Run]:
        """Return runs, newest first.

        Args:
            most: the largest number of runs.
            kind: of this kind only.
            before_id: only runs older than this one.
        """
        rows = self._database.run("runs", kind=kind and kind.value, before_id=before_id, most=most)
        return [_run(row) for row in rows]

    def findings(self, run_id: int, kinds: Sequence[str] | None = None) -> Iterator[Finding]:
        """Yield the findings of a run, sorted by kind and name, in bounded memory.

        Args:
            run_id: the run.
            kinds: only these; None for all.
        """
        place = ("", "")
        while rows := self._database.run(
            "findings",
            run_id=run_id,
            kinds=None if kinds is None else list(kinds),
            after_finding=place[0],
            after_name=place[1],
            most=PAGE,
        ):
            yield from (Finding(*row) for row in rows)
            place = (rows[-1].finding, rows[-1].file_name)


def _columns(findings: Sequence[Finding]) -> dict[str, list[object]]:
    return {
        "findings": [f.finding for f in findings],
        "file_names": [storable(f.file_name) for f in findings],
        "row_ids": [f.row_id for f in findings],
        "sizes": [f.size for f in findings],
        "etags": [storable(f.etag) for f in findings],
        "details": [storable(f.detail) for f in findings],
    }


def _run(row: Row) -> Run:
    return Run(
        row.id,
        Kind(row.kind),
        row.actor,
        row.options,
        RunState(row.state),
        row.begun_at,
        row.finished_at,
        row.position,
        row.numbers,
        row.error,
    )
