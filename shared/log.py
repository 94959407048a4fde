"""Logging: readable lines on a terminal, otherwise one JSON object per line."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
"""Attributes that every record has; the rest was passed as `extra`."""

_ENCODER = json.JSONEncoder(default=str)
"""ASCII only, so that the line can be written whatever the stream's encoding is."""


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {k: v for k, v in record.__dict__.items() if k not in _STANDARD}


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object."""

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
        return _ENCODER.encode(document)


def _shown(value: object) -> str:
    """Return a value as text that can neither move a terminal's cursor nor begin a new line."""
    text = str(value)
    return text if text.isprintable() else ascii(text)


class TextFormatter(logging.Formatter):
    """Formats a record for a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        extra = "".join(f"  {name}={_shown(value)}" for name, value in _extra(record).items())
        text = f"{at} {record.levelname.lower():7} {record.getMessage()}{extra}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return text


def configure(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send the process's log lines to a stream.

    Args:
        level: the lowest level that is written.
        stream: where lines are written; by default standard error.
    """
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextFormatter() if stream.isatty() else JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Libraries log their own details; what matters reaches our own lines. pika's level is set by
    # its adapter, see `shared.queue.rabbitmq.link`.
    for name in ("botocore", "boto3", "urllib3", "granian"):
        logging.getLogger(name).setLevel(logging.WARNING)
