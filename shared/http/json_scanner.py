"""Finds the first fault of a text that should be JSON (RFC 8259), and says what it is. Pure."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

LONGEST_PIECE = 20
"""Characters that are repeated of the text."""

COMMA_TOO_MANY = "a comma too many"
COMMA_MISSING = "a comma is missing"
COLON_MISSING = "a colon is missing"
VALUE_MISSING = "a value is missing"
TEXT_BEHIND = "text behind the end"
COMMENT = "a comment, which JSON does not have"
SINGLE_QUOTES = "single quotes: names and strings are in double quotes"
TYPOGRAPHIC_QUOTES = 'typographic quotes: names and strings are in straight ones, "'
NOT_CLOSED = "a string is not closed"
LINE_BREAK = r"a line break in a string: write \n, or close the string"
INVALID_ESCAPE = "an invalid escape in a string"

_SPACE = re.compile(r"[ \t\r\n]*")
_STRING_BEGINNING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9A-Fa-f]{4})*')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WORD = re.compile(r"[^\s,:{}\[\]\"]+")
_TYPOGRAPHIC = (
    "\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}"
    "\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}\N{DOUBLE LOW-9 QUOTATION MARK}"
)
_COMMENTS = ("//", "/*", "#")
_LITERALS = ("true", "false", "null")
_ELSEWHERE: Mapping[str, str] = {
    "None": "null",
    "undefined": "null",
    "nil": "null",
    "True": "true",
    "False": "false",
}
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)


class Fault(ValueError):
    """A fault of a text.

    Args:
        position: where it is, in characters from 0.
        reason: what it is.
        placed: whether a person needs the position to find it.
    """

    def __init__(self, position: int, reason: str, *, placed: bool = True) -> None:
        self.position = position
        self.reason = reason
        self.placed = placed
        super().__init__(reason)


def shown(piece: str) -> str:
    """Return a piece of the text in quotes, short and escaped to ASCII."""
    more = "..." if len(piece) > LONGEST_PIECE else ""
    return f'{json.dumps(piece[:LONGEST_PIECE])[:-1]}{more}"'


def first_fault(text: str) -> None:
    """Look at a text.

    Raises:
        Fault: the first one there is.
    """
    _Scanner(text).run()


@dataclass(slots=True)
class _Level:
    """An object or array that is open: how it ends, and an object's names so far."""

    end: str
    names: set[str] = field(default_factory=set)


_State = Callable[[str], Any]
"""Looks at the next character, and returns the state after it."""


class _Scanner:
    """A scanner that never recurses, whatever the depth of the text.

    Each state is a method: it takes the next character that is no white space.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._levels: list[_Level] = []
        self._comma = 0

    def run(self) -> None:
        state: _State = self._value
        while True:
            self._at = _end(_SPACE, self._text, self._at)
            if self._at == len(self._text):
                break
            state = state(self._text[self._at])
        if self._levels or state == self._value:
            raise Fault(self._at, f"the body ends too early, {self._missing(state)}")

    def _missing(self, state: _State) -> str:
        if state == self._colon:
            return COLON_MISSING
        if state == self._value:
            return VALUE_MISSING
        return f"{shown(self._levels[-1].end)} is missing"

    def _first_value(self, char: str) -> _State:
        return self._close() if char == "]" else self._value(char)

    def _value(self, char: str) -> _State:
        if char == "{":
            return self._open("}", self._first_name)
        if char == "[":
            return self._open("]", self._first_value)
        if char == '"':
            self._string()
            return self._next
        if char in ",]}" and self._levels:
            in_array = self._levels[-1].end == "]"
            if in_array and char != "}":
                raise Fault(self._at if char == "," else self._comma, COMMA_TOO_MANY)
            raise Fault(self._at, VALUE_MISSING)
        self._literal()
        return self._next

    def _first_name(self, char: str) -> _State:
        return self._close() if char == "}" else self._name(char)

    def _name(self, char: str) -> _State:
        if char == "}":
            raise Fault(self._comma, COMMA_TOO_MANY)
        if char == ",":
            raise Fault(self._at, COMMA_TOO_MANY)
        if char != '"':
            piece = self._foreign()
            raise Fault(self._at, f"expected a name in double quotes, got {shown(piece)}")
        begin = self._at
        name = json.loads(self._string())
        if name in self._levels[-1].names:
            raise Fault(begin, f"duplicate name {shown(name)}", placed=False)
        self._levels[-1].names.add(name)
        return self._colon

    def _colon(self, char: str) -> _State:
        if char != ":":
            raise Fault(self._at, COLON_MISSING)
        self._at += 1
        return self._value

    def _next(self, char: str) -> _State:
        if not self._levels:
            raise Fault(self._at, TEXT_BEHIND)
        end = self._levels[-1].end
        if char == end:
            return self._close()
        if char == ",":
            self._comma = self._at
            self._at += 1
            return self._name if end == "}" else self._value
        piece = self._foreign()
        if char in '"{[' or (end == "]" and (char in "-0123456789" or piece in _LITERALS)):
            raise Fault(self._at, COMMA_MISSING)
        raise Fault(self._at, f"expected a comma or {shown(end)}, got {shown(piece)}")

    def _open(self, end: str, state: _State) -> _State:
        self._levels.append(_Level(end))
        self._at += 1
        return state

    def _close(self) -> _State:
        self._levels.pop()
        self._at += 1
        return self._next

    def _string(self) -> str:
        """Pass over a string, and return it with its quotes."""
        begin, text = self._at, self._text
        end = _end(_STRING_BEGINNING, text, begin)
        rest = text[end : end + 2]
        if rest[:1] == '"':
            self._at = end + 1
            return text[begin : self._at]
        if rest in ("", "\\"):
            raise Fault(begin, NOT_CLOSED)
        if rest[0] == "\\":
            raise Fault(end, INVALID_ESCAPE)
        if rest[0] in "\r\n":
            raise Fault(end, LINE_BREAK)
        code = ord(rest[0])
        raise Fault(end, f"control character U+{code:04X} in a string: write \\u{code:04x}")

    def _literal(self) -> None:
        """Pass over a number, true, false or null."""
        piece = self._foreign()
        number = _NUMBER.fullmatch(piece)
        if number is None and piece not in _LITERALS:
            if piece[0] in "+-.0123456789":
                raise Fault(self._at, f"{shown(piece)} is not a number as JSON has it")
            wanted = "a value" if self._levels else "a JSON object"
            raise Fault(self._at, f"expected {wanted}, got {shown(piece)}")
        most = sys.get_int_max_str_digits()
        if number and not number[1] and not number[2] and 0 < most < len(piece.lstrip("-")):
            raise Fault(self._at, f"a number of more than {most} digits")
        self._at += len(piece)

    def _foreign(self) -> str:
        """Return the piece of text here, a word or one character, if it is no other language's."""
        match = _WORD.match(self._text, self._at)
        piece = match[0] if match else self._text[self._at]
        if piece[0] in "'`":
            raise Fault(self._at, SINGLE_QUOTES)
        if piece[0] in _TYPOGRAPHIC:
            raise Fault(self._at, TYPOGRAPHIC_QUOTES)
        if piece.startswith(_COMMENTS):
            raise Fault(self._at, COMMENT)
        if _NOT_FINITE.fullmatch(piece):
            raise Fault(self._at, f"{piece} is not JSON")
        if piece in _ELSEWHERE:
            raise Fault(self._at, f"{piece} is not JSON, {_ELSEWHERE[piece]} is")
        return piece


def _end(pattern: re.Pattern[str], text: str, begin: int) -> int:
    match = pattern.match(text, begin)
    return match.end() if match else begin
