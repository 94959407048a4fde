from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from shared import log

logger = logging.getLogger("tests.log")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def own_handlers() -> Iterator[None]:
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    yield
    root.handlers[:] = kept
    root.setLevel(level)


def json_line(stream: io.StringIO) -> dict[str, Any]:
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    document: dict[str, Any] = json.loads(lines[0])
    return document


def test_away_from_a_terminal_a_line_is_one_json_object() -> None:
    log.configure(stream=(stream := io.StringIO()))
    logger.info("object synced", extra={"row_id": 7, "file_name": "ü\n.jpg"})
    document = json_line(stream)
    assert datetime.fromisoformat(document.pop("timestamp")).utcoffset() is not None
    assert document == {
        "level": "INFO",
        "logger": "tests.log",
        "message": "object synced",
        "row_id": 7,
        "file_name": "ü\n.jpg",
    }


def test_a_json_line_can_be_written_in_any_encoding() -> None:
    log.configure(stream=(stream := io.StringIO()))
    logger.info("said", extra={"what": "ü \ud800"})
    assert stream.getvalue().isascii()
    assert json_line(stream)["what"] == "ü \ud800"


def test_what_is_no_json_is_written_as_text() -> None:
    log.configure(stream=(stream := io.StringIO()))
    logger.warning("refused", extra={"reason": ValueError("no"), "data": b"\xff"})
    document = json_line(stream)
    assert (document["reason"], document["data"]) == ("no", "b'\\xff'")


def fail() -> None:
    raise LookupError("the cause\nin two lines")


def log_failure() -> None:
    try:
        fail()
    except LookupError:
        logger.exception("it failed", extra={"row_id": 7})


def test_an_exception_is_part_of_its_json_line() -> None:
    log.configure(stream=(stream := io.StringIO()))
    log_failure()
    document = json_line(stream)
    assert document["exception"].startswith("Traceback")
    assert document["exception"].endswith("LookupError: the cause\nin two lines")
    assert document["row_id"] == 7


def test_on_a_terminal_a_line_is_for_reading() -> None:
    log.configure(stream=(stream := Terminal()))
    logger.info("object %s", "synced", extra={"row_id": 7, "file_name": "a b/日本.jpg"})
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d info    object synced  row_id=7  file_name=a b/日本.jpg\n",
        stream.getvalue(),
    )


def test_on_a_terminal_an_exception_follows_its_line() -> None:
    log.configure(stream=(stream := Terminal()))
    log_failure()
    first, *more = stream.getvalue().splitlines()
    assert first.endswith("error   it failed  row_id=7")
    assert more[0].startswith("Traceback")
    assert more[-2:] == ["LookupError: the cause", "in two lines"]


@pytest.mark.parametrize("text", ["a\nb", "\x1b[2J", "\x9b2J", "a\u2028b", "\u202ebac", "\ud800"])
def test_no_value_can_disturb_a_terminal(text: str) -> None:
    log.configure(stream=(stream := Terminal()))
    logger.info("said", extra={"what": text})
    line = stream.getvalue().removesuffix("\n")
    assert line.isprintable()
    assert line.endswith(f"what={text!a}")


def test_lines_below_the_level_are_left_out() -> None:
    log.configure("WARNING", stream := io.StringIO())
    logger.info("not said")
    assert stream.getvalue() == ""


def test_libraries_speak_from_warnings_on() -> None:
    log.configure("DEBUG", stream := io.StringIO())
    logging.getLogger("urllib3.pool").info("not said")
    logging.getLogger("urllib3.pool").warning("said")
    assert json_line(stream)["message"] == "said"


def test_a_second_call_replaces_the_first() -> None:
    log.configure(stream=(first := io.StringIO()))
    log.configure(stream=(second := io.StringIO()))
    logger.info("once")
    assert first.getvalue() == ""
    assert json_line(second)["message"] == "once"
