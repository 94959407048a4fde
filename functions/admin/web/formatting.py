"""Formatting: numbers, sizes and times in words that a person reads at a glance. Pure."""

from __future__ import annotations

KILO = 1000
UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
ROUNDED_TO_100 = 99.95
"""From here on a decimal would be a fourth digit."""

PRECISE_SECONDS = 10
"""Shorter spans are shown in hundredths of a second."""

KIND_LETTERS = 4
"""The most letters that fit on a thumbnail."""


def size(number: float) -> str:
    """Return a number of bytes in words: 999 B, 1.5 kB, 12 MB, 3.4 TB (powers of ten)."""
    value, power = float(number), 0
    while value >= KILO - 0.5 and power < len(UNITS) - 1:
        value /= KILO
        power += 1
    digits = 0 if power == 0 or value >= ROUNDED_TO_100 else 1
    text = f"{value:.{digits}f}"
    return f"{text.removesuffix('.0')} {UNITS[power]}"


def count(number: int) -> str:
    """Return a count with thin spaces between thousands."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def span(seconds: float) -> str:
    """Return a span of time in its two largest units: 0.25 s, 42 s, 3 min 5 s, 2 h 10 min, 4 d."""
    if seconds < PRECISE_SECONDS:
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + " s"
    whole = round(seconds)
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    parts: list[tuple[int, str]] = []
    for name, length in units:
        number, whole = divmod(whole, length)
        if number or parts:
            parts.append((number, name))
    return " ".join(f"{number} {name}" for number, name in parts[:2] if number)


def kind(file_type: str, file_name: str) -> str:
    """Return up to four letters that say what a file is: JPG, PDF, MP4."""
    _, dot, ending = file_name.rpartition("/")[2].rpartition(".")
    if dot and ending.isalnum() and ending.isascii() and len(ending) <= KIND_LETTERS:
        return ending.upper()
    letters = "".join(c for c in file_type.rpartition("/")[2] if c.isalnum())
    return letters[:KIND_LETTERS].upper() or "FILE"


def segments(file_name: str) -> tuple[str, str]:
    """Return a name's folders, with the last "/", and its last segment."""
    folders, slash, last = file_name.rpartition("/")
    return folders + slash, last
