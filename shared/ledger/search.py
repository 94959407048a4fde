"""The admin's search: what a text in the search field may mean. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

CHECKSUM_DIGITS = 8
"""Hexadecimal digits: a shorter text is rather a piece of a name than the beginning of a digest."""

DIGEST_BYTES = 32
"""The length of a SHA-256 digest, and of a request's checksum."""

LARGEST_ID = 2**63 - 1
"""The largest bigint of PostgreSQL."""


@dataclass(frozen=True, slots=True)
class Term:
    """A search text, read in every way that it can be meant.

    Attributes:
        text: a piece of a name in any case; an oeid, ref_id or request id, compared whole.
        pattern: LIKE pattern of the names that begin with it.
        low: the lowest digest that begins with it, None when it cannot be one.
        high: the highest digest that begins with it.
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
        ``a_b``       a name, an oeid, a ref_id, a request id; pattern ``a\_b%``
        ``42``        the object 42 as well
        ``0a1b2c3d``  the digests from 0a1b2c3d000… to 0a1b2c3dfff… as well
        ============  ========================================================
        """
        text = text.strip().replace("\0", "")
        if not text:
            return None
        low = high = None
        if re.fullmatch(rf"[0-9a-fA-F]{{{CHECKSUM_DIGITS},{2 * DIGEST_BYTES}}}", text):
            low = bytes.fromhex(text.ljust(2 * DIGEST_BYTES, "0"))
            high = bytes.fromhex(text.ljust(2 * DIGEST_BYTES, "f"))
        pattern = re.sub(r"([\\%_])", r"\\\1", text) + "%"
        return cls(text, pattern, low, high, _row_id(text))


def _row_id(text: str) -> int | None:
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(LARGEST_ID))):
        return None
    return number if (number := int(text)) <= LARGEST_ID else None
