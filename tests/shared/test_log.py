from __future__ import annotations

import io
import json
import logging
import re
from datetime import datetime
from typing import Any

import pytest

from shared import log

logger = logging.getLogger("tests.log")


PLAIN = {"NO_COLOR": "1"}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


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


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "utf-16-le"])
def test_a_json_line_can_be_written_in_any_encoding(encoding: str) -> None:
    log.configure(stream=(stream := io.TextIOWrapper(io.BytesIO(), encoding)))
    what = "ü 日本 😀 \ud800"
    logger.info("said", extra={"what": what})
    stream.seek(0)
    line = stream.read()
    assert json.loads(line)["what"] == what
    assert line.isascii() == (not encoding.startswith("utf"))


def test_letters_of_every_language_are_readable_in_json() -> None:
    log.configure(stream=(stream := io.StringIO()))
    logger.info("object synced", extra={"file_name": "Größe/日本 😀.jpg"})
    assert '"file_name": "Größe/日本 😀.jpg"' in stream.getvalue()


HOSTILE = ["a\nb", "\x1b[2J", "\x9b2J", "a\u2028b", "a\x85b", "\u202ebac", "\ud800", "\U000e0041"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_value_can_disturb_the_reader_of_a_json_line(text: str) -> None:
    log.configure(stream=(stream := io.StringIO()))
    logger.info("said %s", text, extra={"what": text})
    assert stream.getvalue().removesuffix("\n").isprintable()
    document = json_line(stream)
    assert (document["message"], document["what"]) == (f"said {text}", text)


def test_what_is_no_json_is_written_as_text() -> None:
    log.configure(stream=(stream := io.StringIO()))
    logger.warning("refused", extra={"reason": ValueError("no"), "data": b"\xff"})
    document = json_line(stream)
    assert (document["reason"], document["data"]) == ("no", "b'\\xff'")


def fail(about: str) -> None:
    raise LookupError(about)


def log_failure(about: str = "the cause\nin two lines") -> None:
    try:
        fail(about)
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
    log.configure(stream=(stream := Terminal()), environment=PLAIN)
    logger.info("object %s", "synced", extra={"row_id": 7, "file_name": "a b/日本.jpg"})
    assert re.fullmatch(
        r'\d\d:\d\d:\d\d info    object synced  row_id=7  file_name="a b/日本\.jpg"\n',
        stream.getvalue(),
    )


def test_on_a_terminal_an_exception_follows_its_line() -> None:
    log.configure(stream=(stream := Terminal()), environment=PLAIN)
    log_failure()
    first, *more = stream.getvalue().splitlines()
    assert first.endswith("error   it failed  row_id=7")
    assert more[0].startswith("  Traceback")
    # Indented: no line of an error can pass for a log line.
    assert more[-2:] == ["  LookupError: the cause", "  in two lines"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_value_can_disturb_a_terminal(text: str) -> None:
    log.configure(stream=(stream := Terminal()), environment=PLAIN)
    logger.info("said %s", text, extra={"what": text})
    line = stream.getvalue().removesuffix("\n")
    assert line.isprintable()
    message, _, what = line.partition("  what=")
    assert json.loads(what) == text
    assert json.loads('"' + message.partition("said ")[2] + '"') == text


def test_no_line_of_an_exception_can_disturb_a_terminal() -> None:
    log.configure(stream=(stream := Terminal()), environment=PLAIN)
    log_failure("\x1b[2J\n12:00:00 info    object synced")
    first, *more = stream.getvalue().splitlines()
    assert "".join([first, *more]).isprintable()
    assert all(line.startswith("  ") for line in more)


@pytest.mark.parametrize("text", ["a  row_id=8", "a=b", 'say "a"', "it's", "a\\b", "", " "])
def test_no_value_passes_for_another_field(text: str) -> None:
    log.configure(stream=(stream := Terminal()), environment=PLAIN)
    logger.info("said", extra={"what": text})
    assert json.loads(stream.getvalue().removesuffix("\n").partition("  what=")[2]) == text


@pytest.mark.parametrize(
    ("environment", "colored"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_a_level_has_a_color_unless_it_is_unwanted(
    environment: dict[str, str], *, colored: bool
) -> None:
    log.configure(stream=(stream := Terminal()), environment=environment)
    logger.warning("said")
    assert ("\x1b[33mwarning\x1b[0m said" in stream.getvalue()) == colored


def test_the_form_of_lines_can_be_chosen() -> None:
    log.configure(stream=(stream := Terminal()), style="json")
    logger.info("said")
    assert json_line(stream)["message"] == "said"
    log.configure(stream=(plain := io.StringIO()), style="text")
    logger.info("said")
    assert re.fullmatch(r"\d\d:\d\d:\d\d info    said\n", plain.getvalue())


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
