"""Ids of objects, as addresses, forms and searches name them. Pure."""

from __future__ import annotations

LARGEST_ID = 2**63 - 1
"""The largest bigint of PostgreSQL."""


def parse_row_id(text: str) -> int | None:
    """Return the id that a text names, None if it names none.

    ====================  ======
    text                  answer
    ====================  ======
    42                    42
    9223372036854775807   that
    9223372036854775808   None: no bigint
    (nothing), x, -1, ٤   None
    ====================  ======
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(LARGEST_ID))):
        return None
    return number if (number := int(text)) <= LARGEST_ID else None
