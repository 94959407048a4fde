"""What is wrong with a body that is no JSON object, in one line of plain English for its client.

A body is looked at here only once it was refused. The grammar is that of RFC 8259; the parser's own
messages are of no use to a client, and differ between versions of Python. Of the body no more than
a short piece is repeated, escaped to ASCII.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping

from shared.http.json_scanner import Fault, first_fault

EMPTY = "the body is empty"
BLANK = "the body is empty but for white space"
TOO_DEEP = "nested too deeply"
TWICE = "expected a JSON object, got a string: it is encoded twice"

_MARKS: Mapping[bytes, str] = {
    codecs.BOM_UTF8: "the body begins with a UTF-8 byte order mark: leave it out",
    # UTF-32's little-endian mark begins with UTF-16's, so it comes first.
    codecs.BOM_UTF32_LE: "the body is UTF-32, by its byte order mark: send UTF-8",
    codecs.BOM_UTF32_BE: "the body is UTF-32, by its byte order mark: send UTF-8",
    codecs.BOM_UTF16_LE: "the body is UTF-16, by its byte order mark: send UTF-8",
    codecs.BOM_UTF16_BE: "the body is UTF-16, by its byte order mark: send UTF-8",
    b"\x1f\x8b": "the body is compressed by gzip: send it as it is",
}

_WHITE_SPACE = " \t\r\n"
_FORM = re.compile(r"\s*(?:[\w.%+\[\]-]+=|%7B)", re.ASCII | re.IGNORECASE)
_PART = re.compile(r"--\S+\r?\n", re.ASCII)

_KINDS: Mapping[type, str] = {
    list: "an array",
    str: "a string",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def not_an_object(document: object) -> str:
    """Return what is wrong with a JSON document that is no object."""
    if isinstance(document, bool):
        return f"expected a JSON object, got {'true' if document else 'false'}"
    if isinstance(document, str) and document.lstrip().startswith("{"):
        return TWICE
    return f"expected a JSON object, got {_KINDS[type(document)]}"


def explain(body: bytes, content_type: str) -> str:
    """Return what is wrong with a body that Python's parser refused.

    Args:
        body: its raw bytes.
        content_type: the header's value; it counts only where the body is no attempt at JSON.
    """
    if not body:
        return EMPTY
    for mark, reason in _MARKS.items():
        if body.startswith(mark):
            return reason
    if 0 in body[:2]:  # of each Latin letter, one byte or three are zero there
        return "the body is UTF-16 or UTF-32: send UTF-8"
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        return f"not UTF-8: byte 0x{body[error.start]:02x} at position {error.start}"
    return _otherwise(text, content_type) or _syntax(text)


def _otherwise(text: str, content_type: str) -> str | None:
    """Return what a text is that does not even begin as JSON does, None if it does."""
    beginning = text.lstrip(_WHITE_SPACE)[:1]
    if not beginning:
        return BLANK
    if beginning in "{[":
        return None
    if content_type.strip().lower().startswith("multipart/") or _PART.match(text):
        return "the body is multipart: send a JSON object alone"
    if _FORM.match(text):
        return "the body is form-encoded: send a JSON object"
    return None


def _syntax(text: str) -> str:
    try:
        first_fault(text)
    except Fault as fault:
        line = text.count("\n", 0, fault.position) + 1
        column = fault.position - text.rfind("\n", 0, fault.position)
        return f"line {line}, column {column}: {fault.reason}" if fault.placed else fault.reason
    return "not JSON as RFC 8259 has it"
