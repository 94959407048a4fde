"""The names of unfinished files: a part for each attempt, and a journal beside a long one.

Both lie in one folder of the storage, so that a finished part is renamed into place without
crossing file systems.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shared.storage.folders import open_folder
from shared.storage.object_key import RESERVED_SEGMENT

FOLDER = RESERVED_SEGMENT
"""Name of the folder of unfinished files."""

_NAME = re.compile(r"\d+\.\d+(\.[0-9a-f]{8})?\.(part|journal|journal-new)")

OWNER_DIGITS = 8
"""How much of a ledger's identity the name of a part carries."""


@contextmanager
def open_incoming(root: int) -> Iterator[int]:
    """Open the folder of unfinished files for the time of a `with` block; it is made if missing.

    Accounts that are neither its owner nor in its group cannot look into it: a file may be on its
    way to a folder that is closed to them.

    Args:
        root: descriptor of the storage's folder.

    Yields:
        Its descriptor.

    Raises:
        OSError: the storage refuses.
    """
    with suppress(FileExistsError):
        os.mkdir(FOLDER, 0o770, dir_fd=root)
    with open_folder(root, [FOLDER], create=False) as folder:
        yield folder


def part_name(row_id: int, attempt: int, owner: str = "") -> str:
    """Return the file name of an attempt's part, unique forever.

    Args:
        row_id: the ledger row.
        attempt: the number of the attempt.
        owner: identity of the ledger in hex: another one has rows of the same numbers.
    """
    identity = f".{owner[:OWNER_DIGITS]}" if owner else ""
    return f"{row_id}.{attempt}{identity}.part"


def owner_of(part: Path) -> str:
    """Return what the name of a part carries of its ledger's identity."""
    return ".".join(part.name.split(".")[2:-1])


def journal_of(part: Path) -> Path:
    """Return the path of the journal that records how much of a part is proven."""
    return part.with_suffix(".journal")


def is_unfinished(name: str) -> bool:
    """Return whether a file of the folder is a part or a journal, and so may be swept."""
    return _NAME.fullmatch(name) is not None
