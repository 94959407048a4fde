"""The search: what a text in the search field may mean. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from functions.admin.row_id import parse_row_id

CANDIDATES = 500
"""Objects that each way of finding them yields at most: a search costs no more than reading so many
rows, however many match."""

CHECKSUM_DIGITS = 8
"""Hexadecimal digits: a shorter text is rather the beginning of a name than of a checksum."""

CHECKSUM_BYTES = 32
"""The length of a SHA-256 digest."""


@dataclass(frozen=True, slots=True)
class Term:
    """A search text, read in every way that it can be meant.

    Attributes:
        text: an oeid or ref_id, compared whole.
        pattern: LIKE pattern of the names that begin with it.
        low: the lowest checksum that begins with it, None when it cannot be one.
        high: the highest checksum that begins with it.
        number: an object's id, None when it cannot be one.
    """

    text: str
    pattern: str
    low: bytes | None
    high: bytes | None
    number: int | None

    @classmethod
    def parse(cls, text: str) -> Self | None:
        r"""Return what a search text may mean, None if it is blank.

        ============  ========================================================
        text          may be
        ============  ========================================================
        (blank)       no search: None
        ``a_b``       a name, an oeid, a ref_id; pattern ``a\_b%``
        ``42``        the object 42 as well
        ``0a1b2c3d``  the checksums from 0a1b2c3d000… to 0a1b2c3dfff… as well
        ============  ========================================================
        """
        text = text.strip().replace("\0", "")
        if not text:
            return None
        low = high = None
        if re.fullmatch(rf"[0-9a-fA-F]{{{CHECKSUM_DIGITS},{2 * CHECKSUM_BYTES}}}", text):
            low = bytes.fromhex(text.ljust(2 * CHECKSUM_BYTES, "0"))
            high = bytes.fromhex(text.ljust(2 * CHECKSUM_BYTES, "f"))
        pattern = re.sub(r"([\\%_])", r"\\\1", text) + "%"
        return cls(text, pattern, low, high, parse_row_id(text))
