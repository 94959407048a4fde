"""Byte ranges and conditions of a request for a file (RFC 9110, sections 13 and 14). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes `first` to `last`, both included, counted from 0."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """The number of bytes."""
        return self.last - self.first + 1


class Unsatisfiable(ValueError):
    """No byte of the file is in the range: the response is 416."""


def byte_range(header: str | None, size: int) -> ByteRange | None:
    """Return the range that a Range header asks for, None for the whole file.

    ================  ====  ==================================================
    header            size  answer
    ================  ====  ==================================================
    (none)            10    None: the whole file
    ``bytes=2-5``     10    2 to 5
    ``bytes=2-``      10    2 to 9
    ``bytes=2-99``    10    2 to 9
    ``bytes=-3``      10    7 to 9, the last three
    ``bytes=-99``     10    0 to 9
    ``bytes=10-``     10    Unsatisfiable
    ``bytes=-0``      10    Unsatisfiable
    ``bytes=5-2``     10    None: invalid, so to be ignored (section 14.2)
    ``bytes=0-1,4-``  10    None: several ranges may be ignored as well
    ``lines=1-2``     10    None: an unknown unit
    ================  ====  ==================================================

    Args:
        header: its value, None if it was not sent.
        size: the file's bytes.

    Raises:
        Unsatisfiable: no byte of the file is in it.
    """
    match = re.fullmatch(r"bytes\s*=\s*(\d{0,18})-(\d{0,18})", (header or "").strip(), re.ASCII)
    first, last = match.groups() if match else ("", "")
    if not first and not last:
        return None
    if not first:
        begin, end = max(0, size - int(last)), size - 1
    else:
        begin, end = int(first), min(int(last), size - 1) if last else size - 1
        if last and int(last) < begin:
            return None
    if begin >= size:
        raise Unsatisfiable
    return ByteRange(begin, end)


def range_applies(if_range: str | None, etag: str) -> bool:
    """Return whether a Range applies (section 13.1.5): dates never match, for we send none."""
    return if_range is None or if_range.strip() == etag
