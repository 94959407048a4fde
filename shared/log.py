"""Logging: lines for a person on a terminal, otherwise one JSON object per line.

File names and errors come from outside. Both formats show letters of every language unchanged,
and escape what could start a new line, move the cursor or reverse the text direction.
"""

from __future__ import annotations

import codecs
import json
import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TextIO

FORMATS = ("auto", "json", "text")

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
"""Attributes that every record has; the rest was passed as `extra`."""

_ENCODER = json.JSONEncoder(default=str, ensure_ascii=False)
_ASCII_ENCODER = json.JSONEncoder(default=str)
"""For a stream whose encoding lacks characters: its own replacements would not be JSON."""

_BARE = re.compile(r"[^\s\"'=\\]+")
"""A value that cannot be mistaken for two, or for a name and its value."""

_LAST_OF_BMP = 0xFFFF
_LEVEL_COLORS = {"DEBUG": 2, "INFO": 32, "WARNING": 33, "ERROR": 31, "CRITICAL": 31}
"""Parameters of SGR (ECMA-48, section 8.3.117): faint, green, yellow, red."""


def escaped(text: str) -> str:
    r"""Return text in which every character that is not printable is written as JSON has it.

    Not printable are control characters, line and paragraph separators, direction marks
    (`\u202e`), lone surrogates, and all spaces but U+0020: Unicode's categories C and Z.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(ord(char)) for char in text)


def _escape(code: int) -> str:
    if code <= _LAST_OF_BMP:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {k: v for k, v in record.__dict__.items() if k not in _STANDARD}


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object.

    Args:
        ascii_only: escape all other characters, so that any encoding can hold the line.
    """

    def __init__(self, *, ascii_only: bool = False) -> None:
        super().__init__()
        self._encode = (_ASCII_ENCODER if ascii_only else _ENCODER).encode

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        document: dict[str, object] = {
            # Lambda finds the level of a line by these two names (developer guide, "Log-level
            # filtering"); without them every line counts as INFO.
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(
                timespec="milliseconds"
            ),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_extra(record),
        }
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        # The encoder has escaped ASCII control characters; any others are inside strings.
        return escaped(self._encode(document))


def _shown(value: object) -> str:
    """Return a value as one word, or quoted."""
    text = str(value)
    if text.isprintable() and _BARE.fullmatch(text):
        return text
    return escaped(_ENCODER.encode(text))


class TextFormatter(logging.Formatter):
    """Formats a record for people: short time, level, message, and `key=value` for the rest.

    Args:
        color: show the level in color.
    """

    def __init__(self, *, color: bool = False) -> None:
        super().__init__()
        self._color = color

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; an exception's lines follow, indented to look different."""
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        level = f"{record.levelname.lower():7}"
        if self._color:
            level = f"\x1b[{_LEVEL_COLORS.get(record.levelname, 0)}m{level}\x1b[0m"
        extra = "".join(f"  {name}={_shown(value)}" for name, value in _extra(record).items())
        text = f"{at} {level} {escaped(record.getMessage())}{extra}"
        if record.exc_info:
            lines = self.formatException(record.exc_info).split("\n")
            text += "".join(f"\n  {escaped(line)}" for line in lines)
        return text


def configure(
    level: str = "INFO",
    stream: TextIO | None = None,
    *,
    style: str = "auto",
    environment: Mapping[str, str] | None = None,
) -> None:
    """Send the process's log lines to a stream.

    Args:
        level: the lowest level that is written.
        stream: where lines are written; by default standard error.
        style: one of `FORMATS`; `auto` is text on a terminal and JSON elsewhere.
        environment: where `NO_COLOR` (no-color.org) and `TERM` are looked up; by default nowhere.
    """
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_formatter(stream, style, environment or {}))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Libraries log details of their own; what matters is in our own lines. pika's level is set by
    # its adapter, see `shared.queue.rabbitmq.link`.
    for name in ("botocore", "boto3", "urllib3", "granian"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _formatter(stream: TextIO, style: str, environment: Mapping[str, str]) -> logging.Formatter:
    terminal = stream.isatty()
    if style == "text" or (style == "auto" and terminal):
        plain = environment.get("NO_COLOR") or environment.get("TERM") == "dumb"
        return TextFormatter(color=terminal and not plain)
    return JsonFormatter(ascii_only=not _holds_unicode(stream))


def _holds_unicode(stream: TextIO) -> bool:
    encoding: str | None = stream.encoding  # None of one in memory
    return encoding is None or codecs.lookup(encoding).name.startswith("utf-")
