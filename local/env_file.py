r"""The file `.env`: names and values, read strictly.

What is accepted is what Docker Compose, python-dotenv and `local/compose.sh` read alike, so that a
file means the same to `make run` and to `make up`; where they differ the line is refused.

==========================  ===================================================================
line                        value
==========================  ===================================================================
``NAME=value``              value; blanks around name and value are no part of it
``export NAME=value``       the same
``NAME=value # why``        value: a number sign after a blank begins a comment
``NAME='value' # why``      value, every character literally
``NAME="value" # why``      value, in which ``\"``, ``\\`` and ``\$`` are escapes
``NAME=``                   empty, which counts as not given
``NAME=a$8$b``              literally: only braces make a reference
``NAME=${OTHER}/x``         with OTHER of the process, or else of an earlier line
``NAME="${OTHER:-y}/x"``    the same, and ``y`` where OTHER is empty or not set
``NAME='${OTHER}/x'``       literally
==========================  ===================================================================

The last line of a name counts. A byte order mark and CRLF line ends are accepted.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shared.errors import SettingError

_ASSIGNMENT = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=(.*)")
_LOOKS_LIKE_NAME = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z0-9_.-]+)[ \t]*=")
_SINGLE = re.compile(r"'([^']*)'[ \t]*(#.*)?")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"[ \t]*(#.*)?')
_COMMENT = re.compile(r"[ \t]+#.*")
_ESCAPE = re.compile(r"\\(.)")
_REFERENCE = re.compile(r"\$\{([^}]*)(\}?)")
_IN_BRACES = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?")
_DOLLAR = "\0"
"""Replaces an escaped dollar until references are filled in; no line can hold this character."""

_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)


@dataclass(frozen=True, slots=True)
class Line:
    """One assignment.

    Attributes:
        place: file and line number, as errors name them, such as `.env:3`.
        name: of the variable.
        value: its text.
    """

    place: str
    name: str
    value: str


def read(file: Path, environment: Mapping[str, str]) -> list[Line]:
    """Return the assignments of a file in their order; none where there is no such file.

    Args:
        file: usually `.env`.
        environment: the process's variables, for references.

    Raises:
        SettingError: it cannot be read, is not UTF-8, or holds a line that is no assignment; the
            text names file, line and variable, and never a value.
    """
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        if file.is_symlink():
            raise SettingError(f"{file.name}: is a link to a file that does not exist") from None
        return []
    except OSError as error:
        if isinstance(error, PermissionError) and "LOCAL_RUN" in environment:
            return []  # root's, who started us as another account and passed everything on
        raise SettingError(f"{file.name}: cannot be read: {error.strerror}") from error
    known = dict(environment)
    lines: list[Line] = []
    for number, text in enumerate(_decoded(content, file.name).split("\n"), start=1):
        line = _line(text.removesuffix("\r"), f"{file.name}:{number}", known)
        if line is not None:
            lines.append(line)
            if not environment.get(line.name):
                known[line.name] = line.value
    return lines


def _decoded(content: bytes, name: str) -> str:
    if content.startswith(_WIDE) or b"\0" in content:
        kind = "is UTF-16" if content.startswith(_WIDE) else "has zero bytes"
        raise SettingError(f"{name}:1: the file {kind}; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        number = before.count(b"\n") + 1
        line = content.split(b"\n")[number - 1].decode("iso-8859-1")
        found = _LOOKS_LIKE_NAME.match(line)
        where = f"{name}:{number}: {found[1]}: " if found else f"{name}:{number}: "
        raise SettingError(
            f"{where}not UTF-8, perhaps ISO-8859-1 or Windows-1252; save the file as UTF-8"
        ) from None


def _line(text: str, place: str, known: Mapping[str, str]) -> Line | None:
    stripped = text.strip(" \t")
    if not stripped or stripped.startswith("#"):
        return None
    match = _ASSIGNMENT.fullmatch(stripped)
    if match is None:
        found = _LOOKS_LIKE_NAME.match(stripped)
        about = f"{found[1]}: " if found else ""
        raise SettingError(f"{place}: {about}expected NAME=value or a comment")
    name = match[1]
    try:
        return Line(place, name, _value(match[2].rstrip(" \t"), known))
    except ValueError as error:
        raise SettingError(f"{place}: {name}: {error}") from None


def _value(raw: str, known: Mapping[str, str]) -> str:
    text = raw.strip(" \t")
    if any(ord(character) < ord(" ") and character != "\t" for character in text):
        raise ValueError("the value has a control character")
    if text.startswith("'"):
        return _quoted(_SINGLE, text)
    if text.startswith('"'):
        escaped = _ESCAPE.sub(_unescaped, _quoted(_DOUBLE, text))
        return _filled(escaped, known)
    if text.startswith("#") and not raw.startswith("#"):
        # Meant as a comment, and yet the value to every other reader.
        raise ValueError("a number sign after '=' and a blank; put the comment on its own line")
    return _filled(_COMMENT.sub("", text, count=1), known)


def _quoted(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.fullmatch(text)
    if match is None:
        closed = pattern.match(text) is not None
        raise ValueError(
            "there is text after the closing quote"
            if closed
            else "the quote is not closed in its line"
        )
    return match[1]


def _unescaped(match: re.Match[str]) -> str:
    if match[1] not in '"\\$':
        raise ValueError("a backslash within double quotes; use single quotes")
    return _DOLLAR if match[1] == "$" else match[1]


def _filled(text: str, known: Mapping[str, str]) -> str:
    def replaced(match: re.Match[str]) -> str:
        inner = _IN_BRACES.fullmatch(match[1])
        if inner is None or not match[2]:
            raise ValueError("only ${NAME} and ${NAME:-default}, or ${…} within single quotes")
        found = known.get(inner[1]) or inner[2]
        if found is None:
            raise ValueError(f"${{{inner[1]}}} is not set; within single quotes it is literal")
        return found

    return _REFERENCE.sub(replaced, text).replace(_DOLLAR, "$")
