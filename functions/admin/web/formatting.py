"""Numbers, sizes and times in words that a person reads at a glance. Pure."""

from __future__ import annotations

KILO = 1000
UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def size(number: float) -> str:
    """Words a number of bytes: 999 B, 1.5 kB, 12 MB, 3.4 TB (powers of ten)."""
    value, power = float(number), 0
    while value >= KILO - 0.5 and power < len(UNITS) - 1:
        value /= KILO
        power += 1
    digits = 0 if power == 0 or value >= 99.95 else 1  # three digits at most  # noqa: PLR2004
    text = f"{value:.{digits}f}"
    return f"{text.removesuffix('.0')} {UNITS[power]}"


def count(number: int) -> str:
    """Words a count with thin spaces between thousands."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def span(seconds: float) -> str:
    """Words a span of time by its two largest units: 0.25 s, 42 s, 3 min 5 s, 2 h 10 min, 4 d."""
    if seconds < 10:  # noqa: PLR2004
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
    """Gives up to four letters that tell what a file is: JPG, PDF, MP4."""
    _, dot, ending = file_name.rpartition("/")[2].rpartition(".")
    if dot and ending.isalnum() and ending.isascii() and len(ending) <= 4:  # noqa: PLR2004
        return ending.upper()
    return "".join(c for c in file_type.rpartition("/")[2] if c.isalnum())[:4].upper() or "FILE"


def segments(file_name: str) -> tuple[str, str]:
    """Splits a name into its folders, with the last "/", and its last segment."""
    folders, slash, last = file_name.rpartition("/")
    return folders + slash, last
