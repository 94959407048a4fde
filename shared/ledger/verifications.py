"""Whether stored files still match what was recorded: the requests to verify, and the results."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

from shared.ledger.database import Database, Row
from shared.ledger.selection import PROBLEMS, Verification

WHOLE = 1_000_000
"""Millionths of all."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the ledger records of one stored file.

    Attributes:
        row_id: the object.
        file_name: its name.
        size: bytes.
        sha256: 32 bytes.
        synced_at: when it was copied; a later copy is another file.
        read_at: when this was read from the ledger, by its clock.
    """

    row_id: int
    file_name: str
    size: int
    sha256: bytes
    synced_at: datetime
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Part:
    """A part of all files: one of `of` equal groups, or a random fraction.

    Attributes:
        number: of the group, from 1; None for a fraction.
        of: the number of groups.
        millionths: the fraction, `WHOLE` for all.
    """

    number: int | None = None
    of: int = 1
    millionths: int = WHOLE

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the part of all files that a text describes.

        ========  ====================================
        text      part
        ========  ====================================
        ``5%``    a random 5 in 100, different ones each run
        ``0.1%``  a random one in 1,000
        ``2/7``   the second of seven equal groups
        ========  ====================================

        Raises:
            ValueError: it describes none.
        """
        if match := re.fullmatch(r"(\d{1,3}(?:\.\d{1,4})?)%", text):
            millionths = round(float(match[1]) * WHOLE / 100)
            if 0 < millionths <= WHOLE:
                return cls(millionths=millionths)
        elif match := re.fullmatch(r"(\d{1,6})/(\d{1,6})", text):
            number, of = int(match[1]), int(match[2])
            if 1 <= number <= of:
                return cls(number=number, of=of)
        raise ValueError(f"{text!r}: expected a part such as 5% or 2/7")


def run_options(
    last_id: int,
    part: Part,
    *,
    after_id: int = 0,
    bytes_per_second: int | None = None,
    seconds: float | None = None,
    fetch_again: bool = False,
) -> dict[str, Any]:
    """Return the options of a run that reads files again.

    Args:
        last_id: the greatest row id that it includes.
        part: which of the files.
        after_id: only greater ids.
        bytes_per_second: the most to read, None for no limit.
        seconds: time over which the run is spread, None to read without a pause.
        fetch_again: queue what is damaged or missing to be fetched again.
    """
    return {
        "after_id": after_id,
        "last_id": last_id,
        "part": asdict(part),
        "bytes_per_second": bytes_per_second,
        "seconds": seconds,
        "fetch_again": fetch_again,
    }


class Verifications:
    """The operations on verifications.

    Args:
        database: with the ledger's statements.

    Every method raises `LedgerUnavailable` if PostgreSQL is unreachable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def requested(self, most: int) -> list[Recorded]:
        """Return the files that people requested to be read again, in the order of the requests."""
        return _recorded(self._database.run("verifications_requested", most=most))

    def waiting(self) -> int:
        """Return how many files people requested to be read again and that were not read yet."""
        return int(self._database.run("verifications_waiting")[0].objects)

    def last_row(self) -> int:
        """Return the greatest row id there is, 0 if there is none."""
        return int(self._database.run("last_row")[0].id)

    def stored(
        self, after_id: int, last_id: int, most: int, part: Part, seed: int
    ) -> list[Recorded]:
        """Return recorded files in the order of their ids.

        Args:
            after_id: only greater ids.
            last_id: none greater than this.
            most: the largest number of files.
            part: which of them.
            seed: chooses the random fraction.
        """
        fraction = part.number is None and part.millionths < WHOLE
        rows = self._database.run(
            "stored",
            after_id=after_id,
            last_id=last_id,
            most=most,
            modulus=None if part.number is None else part.of,
            remainder=None if part.number is None else part.number - 1,
            millionths=part.millionths if fraction else None,
            seed=seed,
        )
        return _recorded(rows)

    def of(self, row_ids: Collection[int]) -> list[Recorded]:
        """Return what is recorded of those of some objects that are synced."""
        return _recorded(self._database.run("stored_by_ids", row_ids=list(row_ids)))

    def record(self, found: Sequence[tuple[Recorded, Verification]]) -> Mapping[int, Verification]:
        """Record the results for files, except those that were copied again since they were read.

        Returns:
            The recorded results by row id; `REPLACED` if another object has taken the name.
        """
        rows = self._database.run(
            "record_verifications",
            row_ids=[recorded.row_id for recorded, _ in found],
            synced_at=[recorded.synced_at for recorded, _ in found],
            read_at=[recorded.read_at for recorded, _ in found],
            results=[result.value for _, result in found],
        )
        return {row.id: Verification(row.result) for row in rows}

    def postpone(self, row_ids: Collection[int]) -> None:
        """Move the requests for some files behind all others."""
        if row_ids:
            self._database.run("postpone_verifications", row_ids=list(row_ids))

    def counts(self) -> dict[Verification, int]:
        """Return how many files have each result, at a cost independent of the number of rows."""
        rows = self._database.run("verification_counts")
        return {Verification(row.result): row.objects for row in rows if row.objects}

    def problems(self) -> int:
        """Return how many files are damaged, missing or unreadable."""
        counts = self.counts()
        return sum(counts.get(result, 0) for result in PROBLEMS)


def _recorded(rows: Sequence[Row]) -> list[Recorded]:
    return [
        Recorded(
            row.id, row.file_name, row.size_bytes, bytes(row.sha256), row.synced_at, row.read_at
        )
        for row in rows
    ]
