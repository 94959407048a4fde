"""The names of unfinished files: a part for each attempt, and a journal beside a long one.

Both lie in one folder of the storage, so that a finished part is renamed into place without
crossing file systems.
"""

from __future__ import annotations

import re
from pathlib import Path

from shared.storage.object_key import RESERVED_SEGMENT

FOLDER = RESERVED_SEGMENT
"""Name of the folder of unfinished files."""

_NAME = re.compile(r"\d+\.\d+\.(part|journal|journal-new)")


def part_name(row_id: int, attempt: int) -> str:
    """Return the file name of an attempt's part, unique forever."""
    return f"{row_id}.{attempt}.part"


def journal_of(part: Path) -> Path:
    """Return the path of the journal that records how much of a part is proven."""
    return part.with_suffix(".journal")


def is_unfinished(name: str) -> bool:
    """Return whether a file of the folder is a part or a journal, and so may be swept."""
    return _NAME.fullmatch(name) is not None
