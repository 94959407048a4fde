"""The objects of the soak, by number: names and contents follow from it, so none is remembered."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

from tests.faults.harness.object_store import Behavior, blocks

SIZES = tuple(range(1_021, 16_384, 1_021))
"""In bytes. Few, because each is a folder of its own: a million folders take a disk's inodes."""

FOLDER = 1_000
"""Numbers of the objects in one folder."""

WAITING, ACCEPTED, KNOWN, VERIFIED, WRONG = range(5)
"""States of an object: not answered yet; answered 201; answered 409 after an answer that was lost;
its file was right, and removed; its file was wrong or missing."""


def key(number: int) -> str:
    """Return an object's key."""
    size = SIZES[zlib.crc32(str(number).encode()) % len(SIZES)]
    return f"{Behavior.PLAIN}/{size}/{number // FOLDER}/{number}"


def number_of(name: str) -> int:
    """Return an object's number."""
    return int(name.rpartition("/")[2])


def content(name: str) -> bytes:
    """Return an object's bytes."""
    return b"".join(blocks(name))


@dataclass
class Book:
    """What became of each object: a byte each, for a million take little room.

    Attributes:
        states: by number.
        taken: how many clients have begun to send.
        recorded: how many were answered 201, or 409 after an answer that was lost.
        verified: how many files were right.
        stored: bytes of these files.
        complaints: what was wrong, in words.
    """

    states: bytearray
    taken: int = 0
    recorded: int = 0
    verified: int = 0
    stored: int = 0
    complaints: list[str] = field(default_factory=list)

    @property
    def outstanding(self) -> int:
        """How many are under way."""
        return self.taken - self.verified
