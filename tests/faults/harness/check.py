"""The check after every fault: what was promised against what is there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.storage.capabilities import is_probe
from tests.faults.harness.load import Promises
from tests.faults.harness.object_store import final_version, sha256

INCOMING = ".incoming"
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the ledger, with how often its history says that it was synced."""

    row_id: int
    signature: str
    file_name: str
    state: str
    last_error: str | None
    sha256: bytes | None
    size: int | None
    times_synced: int


@dataclass(frozen=True, slots=True)
class Found:
    """What is there once the work has come to rest.

    Attributes:
        rows: the whole ledger.
        counts: the answer of `GET /sync/?detail=1`.
        waiting: messages in the queue, those in a consumer's hands included.
        dead: bodies of the dead letters.
    """

    rows: Sequence[Row]
    counts: Mapping[str, Any]
    waiting: int
    dead: Sequence[bytes]


@dataclass
class Verdict:
    """The figures of the table, and every complaint in words."""

    accepted: int = 0
    synced: int = 0
    failed: int = 0
    lost: int = 0
    corrupt: int = 0
    duplicated: int = 0
    complaints: list[str] = field(default_factory=list)

    def complain(self, what: str, about: Sequence[object]) -> int:
        """Note a complaint if it is about anything; return about how many."""
        if about:
            shown = ", ".join(map(str, about[:SHOWN]))
            self.complaints.append(f"{what}: {len(about)} ({shown})")
        return len(about)


def judge(
    promises: Promises,
    found: Found,
    storage: Path,
    *,
    dead: Sequence[bytes] = (),
    foreign: Sequence[str] = (),
) -> Verdict:
    """Compare promises and facts.

    Args:
        promises: what clients were told.
        found: ledger, counts and queues.
        storage: the folder of the files.
        dead: the dead letters that are meant to be there.
        foreign: files in the storage that a test put there on purpose.
    """
    verdict = Verdict(accepted=len(promises.accepted))
    _rows(verdict, promises, found.rows)
    _files(verdict, found.rows, storage, set(foreign))
    synced = [r for r in found.rows if r.state == "synced"]
    failed = [r for r in found.rows if r.state == "failed"]
    verdict.synced, verdict.failed = len(synced), len(failed)
    truth = {
        "synced_objects_count": len(synced),
        "queued_objects_count": len(found.rows) - len(synced),
        "failed_objects_count": len(failed),
        "bytes_stored": sum(r.size or 0 for r in synced),
    }
    told = {name: found.counts.get(name) for name in truth}
    verdict.complain("counts of GET /sync/", [] if told == truth else [f"{told} is not {truth}"])
    verdict.complain("messages left in the queue", [found.waiting] if found.waiting else [])
    unmeant = list(found.dead)
    for letter in dead:
        if letter in unmeant:
            unmeant.remove(letter)
        else:
            verdict.complain("missing dead letter", [letter[:80]])
    verdict.complain("unexpected dead letters", [letter[:80] for letter in unmeant])
    return verdict


def _rows(verdict: Verdict, promises: Promises, rows: Sequence[Row]) -> None:
    by_signature: dict[str, list[Row]] = {}
    for row in rows:
        by_signature.setdefault(row.signature, []).append(row)
    promised = promises.accepted | promises.known
    verdict.lost += verdict.complain(
        "accepted without a row", [a.key for s, a in promised.items() if s not in by_signature]
    )
    verdict.lost += verdict.complain(
        "neither synced nor failed", [r.file_name for r in rows if r.state == "queued"]
    )
    verdict.lost += verdict.complain(
        "failed without a reason",
        [r.file_name for r in rows if r.state == "failed" and not r.last_error],
    )
    verdict.duplicated += verdict.complain(
        "several rows", [s for s, found in by_signature.items() if len(found) > 1]
    )
    verdict.duplicated += verdict.complain(
        "synced more than once", [r.file_name for r in rows if r.times_synced > 1]
    )
    asked = promised | promises.unknown
    verdict.complain(
        "rows without a request", [r.file_name for r in rows if r.signature not in asked]
    )


def _files(verdict: Verdict, rows: Sequence[Row], storage: Path, foreign: set[str]) -> None:
    expected = {row.file_name: row for row in rows if row.state == "synced"}
    found = {
        path.relative_to(storage).as_posix(): path
        for path in storage.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }
    verdict.lost += verdict.complain(
        "synced without a file", sorted(expected.keys() - found.keys())
    )
    # Of a worker that was killed while it looked at the storage for the first time; swept later.
    probes = {name for name, path in found.items() if is_probe(path.name)}
    others = sorted(found.keys() - expected.keys() - foreign - probes)
    verdict.complain("part files", [o for o in others if o.startswith(f"{INCOMING}/")])
    verdict.complain("other files", [o for o in others if not o.startswith(f"{INCOMING}/")])
    wrong = []
    for name in expected.keys() & found.keys():
        with found[name].open("rb") as file:
            on_disk = hashlib.file_digest(file, "sha256").digest()
        truth = sha256(name, final_version(name))
        if on_disk != truth or expected[name].sha256 != truth:
            wrong.append(name)
    verdict.corrupt += verdict.complain("wrong content", wrong)
