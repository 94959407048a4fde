"""The beginning of a text file as its page shows it: in its charset, JSON indented. Pure."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

TEXT_BYTES = 16_384
"""Bytes of a text file that its page shows."""

JSON_BYTES = 131_072
"""Bytes of a JSON file that are read: most of one that has no line breaks is indentation."""

MOST_CHARACTERS = 49_152
"""Of a preview, so that a page stays light whatever indentation makes of a file."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins as the next one does
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CHARSETS = re.compile(
    r"utf-(?:8|16|16-le|16-be|32|32-le|32-be)|ascii|iso8859-\d+|cp(?:125\d|437|85\d|866|874|932)"
    r"|koi8-[rtu]|shift_jis|euc_jp|iso2022_jp|gb2312|gbk|gb18030|big5|euc_kr|mac-[a-z-]+"
)
"""Python's names of the codecs that are charsets; it has others, which are escapes or ciphers."""

_DECLARED = re.compile(rb"""(?:encoding|charset)\s*=\s*["']?([\w.:-]{1,40})""", re.IGNORECASE)
"""In an XML declaration, or in the head of an HTML page."""

DECLARED_WITHIN = 1024
"""Bytes; that is HTML's own rule."""

FALLBACK = "cp1252"
"""What text without any declaration is that is no UTF-8, as browsers take it."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+|"', re.DOTALL)
INDENT = "  "
_OPENING, _CLOSING = frozenset("[{"), frozenset("]}")


@dataclass(frozen=True, slots=True)
class TextPreview:
    """The beginning of a text file.

    Attributes:
        text: as it is shown.
        charset: in which it was decoded.
        indented: its white space is not the file's own.
        bytes_shown: how many of the file's bytes it comes from.
        cut: the file goes on.
    """

    text: str
    charset: str
    indented: bool
    bytes_shown: int
    cut: bool


def preview(data: bytes, size: int, charset: str, *, is_json: bool) -> TextPreview:
    """Return the preview of a file.

    Args:
        data: its first bytes, `JSON_BYTES` at most.
        size: of the whole file.
        charset: that its client declared, "" for none.
        is_json: it is said to be JSON.
    """
    if is_json:
        text, found = decode(data, charset, cut=len(data) < size)
        indented = _indented(text, cut=len(data) < size)
        if indented is not None:
            cut = len(data) < size or len(indented) > MOST_CHARACTERS
            return TextPreview(
                indented[:MOST_CHARACTERS], found, indented=True, bytes_shown=len(data), cut=cut
            )
    data = data[:TEXT_BYTES]
    text, found = decode(data, charset, cut=len(data) < size)
    return TextPreview(text, found, indented=False, bytes_shown=len(data), cut=len(data) < size)


def decode(data: bytes, charset: str, *, cut: bool) -> tuple[str, str]:
    """Return a text and the charset that it was decoded in.

    =============================  ========================================
    the file                       charset
    =============================  ========================================
    begins with a byte order mark  that one
    declared by its media type     the declared one, if it is known
    declares one itself            the same, as XML and HTML do
    is UTF-8                       utf-8
    anything else                  cp1252, with a mark for what it has not
    =============================  ========================================

    Args:
        data: its first bytes.
        charset: of its media type, "" for none.
        cut: the file goes on, perhaps within a character.
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], name, cut=cut, errors="replace"), name
    own = _DECLARED.search(data[:DECLARED_WITHIN])
    for declared in (charset, own[1].decode() if own else ""):
        name = known_charset(declared)
        if name:
            return _decoded(data, name, cut=cut, errors="replace"), name
    try:
        return _decoded(data, "utf-8", cut=cut, errors="strict"), "utf-8"
    except UnicodeDecodeError:
        return data.decode(FALLBACK, errors="replace"), FALLBACK


def known_charset(name: str) -> str:
    """Return Python's name of a charset, "" if it is none."""
    try:
        found = codecs.lookup(name).name if name else ""
    except (LookupError, ValueError):  # the latter for NUL
        return ""
    return found if _CHARSETS.fullmatch(found) else ""


def _decoded(data: bytes, charset: str, *, cut: bool, errors: str) -> str:
    # An incremental decoder leaves out the part of a character that a cut may have left.
    return codecs.getincrementaldecoder(charset)(errors).decode(data, final=not cut)


def _indented(text: str, *, cut: bool) -> str | None:
    """Return JSON with line breaks and indentation, None if it is none.

    Its tokens remain as they are: numbers of any precision, escapes, names that occur twice.
    """
    if cut:
        if not text.lstrip().startswith(("{", "[")):
            return None
    else:
        try:
            # As text: a number may be too long for Python.
            json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
        except (ValueError, RecursionError):
            return None
    pieces, length = [], 0
    for piece in _pieces(text):
        pieces.append(piece)
        length += len(piece)
        if length > MOST_CHARACTERS:
            break
    return "".join(pieces)


def _pieces(text: str) -> Iterator[str]:
    depth, before = 0, ""
    for found in _TOKEN.finditer(text):
        piece = found[0]
        opened, closes = before in _OPENING, piece in _CLOSING
        depth -= closes
        if before == "," or (opened != closes and (opened or before)):
            yield "\n" + INDENT * max(0, depth)
        yield piece + " " if piece == ":" else piece
        depth += piece in _OPENING
        before = piece
