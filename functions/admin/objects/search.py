"""What a person may have typed into the search field. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

CANDIDATES = 500
"""Each way to find an object gives at most so many, which bounds the cost of a search: that of
reading so many rows, however many match."""

CHECKSUM_DIGITS = 8
"""A shorter piece of a checksum would rather be the beginning of a name."""

CHECKSUM_BYTES = 32
LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Term:
    """A search text, read in every way that it can be meant.

    Attributes:
        text: an oeid or ref_id, compared whole.
        pattern: LIKE pattern of the names that begin with it.
        low: the lowest checksum that begins with it, None when it cannot be one.
        high: the highest such.
        number: an object's id, None when it cannot be one.
    """

    text: str
    pattern: str
    low: bytes | None
    high: bytes | None
    number: int | None

    @classmethod
    def parse(cls, text: str) -> Self | None:
        r"""Reads a search text.

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
        low = high = number = None
        if re.fullmatch(rf"[0-9a-fA-F]{{{CHECKSUM_DIGITS},{2 * CHECKSUM_BYTES}}}", text):
            low = bytes.fromhex(text.ljust(2 * CHECKSUM_BYTES, "0"))
            high = bytes.fromhex(text.ljust(2 * CHECKSUM_BYTES, "f"))
        if re.fullmatch(r"[0-9]{1,19}", text) and int(text) <= LARGEST_ID:
            number = int(text)
        return cls(text, re.sub(r"([\\%_])", r"\\\1", text) + "%", low, high, number)
