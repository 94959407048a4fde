"""Characters of names that can't be seen, or reorder those that can, made visible. Pure.

A name such as ``invoice<U+202E>gpj.exe`` is read as another one, and two names that differ in a
zero width space alone look the same. What is shown is `[U+202E]`; what is copied, linked and
compared remains the name itself.
"""

from __future__ import annotations

import re
import unicodedata

from markupsafe import Markup, escape

_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
"""Controls, formats (bidirectional ones, zero widths, the soft hyphen), surrogates, private and
unassigned code points, separators; the ordinary space is excepted below."""

_BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
"""Letters and marks without a glyph: fillers, joiners, the empty Braille cell."""

_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
"""Variation selectors: marks that change the glyph before them, if at all."""

_EDGE_SPACES = re.compile(r"(?:^|(?<=/)) +| +(?=/|$)")
"""Spaces that begin or end a name or a segment of it."""


def visible(text: object) -> Markup:
    """Return a name as HTML, each character that can't be seen marked by its code point."""
    pieces = _pieces(str(text))
    return Markup("").join(
        Markup('<span class="code-point" title="{}">{}</span>').format(_title(piece), mark)
        if mark
        else escape(piece)
        for piece, mark in pieces
    )


def visible_text(text: object) -> str:
    """Return the same as plain text, for attributes and titles.

    =====================  ==================================
    name                   shown
    =====================  ==================================
    a.jpg, naïve.jpg       as it is
    a<U+202E>gpj.exe       a[U+202E]gpj.exe
    a<space>               a[U+0020]
    a b.jpg                as it is
    a<soft hyphen>b        a[U+00AD]b
    =====================  ==================================
    """
    return "".join(mark or piece for piece, mark in _pieces(str(text)))


def _pieces(text: str) -> list[tuple[str, str]]:
    """Return stretches of a text with an empty mark, and characters with theirs."""
    edges = {n for found in _EDGE_SPACES.finditer(text) for n in range(*found.span())}
    pieces: list[tuple[str, str]] = []
    begin = 0
    for number, character in enumerate(text):
        if number in edges or _is_unseen(character):
            pieces += [(text[begin:number], ""), (character, f"[U+{ord(character):04X}]")]
            begin = number + 1
    return [piece for piece in (*pieces, (text[begin:], "")) if piece[0]]


def _is_unseen(character: str) -> bool:
    if character == " " or (character.isascii() and character.isprintable()):
        return False
    return (
        unicodedata.category(character) in _UNSEEN_CATEGORIES
        or character in _BLANK
        or any(ord(character) in selectors for selectors in _SELECTORS)
    )


def _title(character: str) -> str:
    return unicodedata.name(character, f"U+{ord(character):04X}").capitalize()
