"""Which part of all files a run reads, as people write it. Pure."""

from __future__ import annotations

import re

from shared.ledger.verifications import WHOLE, Part


def parse_part(text: str) -> Part:
    """Return the part of all files that a text names.

    ========  ====================================
    text      part
    ========  ====================================
    ``5%``    a random 5 in 100, others next time
    ``0.1%``  a random one in 1,000
    ``2/7``   the second of seven equal groups
    ========  ====================================

    Raises:
        ValueError: it names none.
    """
    if match := re.fullmatch(r"(\d{1,3}(?:\.\d{1,4})?)%", text):
        millionths = round(float(match[1]) * WHOLE / 100)
        if 0 < millionths <= WHOLE:
            return Part(millionths=millionths)
    elif match := re.fullmatch(r"(\d{1,6})/(\d{1,6})", text):
        number, of = int(match[1]), int(match[2])
        if 1 <= number <= of:
            return Part(number=number, of=of)
    raise ValueError(f"{text!r}: expected a part such as 5% or 2/7")
