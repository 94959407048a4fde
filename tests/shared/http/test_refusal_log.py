from __future__ import annotations

import pytest

from shared.errors import (
    BodyTooLarge,
    InvalidFields,
    MalformedJson,
    SignatureInvalid,
    TooManyRequests,
)
from shared.http import refusal_log
from shared.http.refusal_log import SECONDS, RefusalLog

INVALID = "Invalid HMAC signature hash"
LARGE = "Request body too large"


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Lines:
    """A refusal log whose lines a test can read."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.lines: list[tuple[str, str, int]] = []
        self.log = RefusalLog(lambda *line: self.lines.append(line), self.clock)


@pytest.fixture
def written() -> Lines:
    return Lines()


def test_the_first_refusal_is_logged_at_once(written: Lines) -> None:
    written.log.add("203.0.113.7", SignatureInvalid())
    assert written.lines == [("203.0.113.7", INVALID, 1)]


def test_a_thousand_of_one_kind_are_two_lines(written: Lines) -> None:
    for _ in range(1_000):
        written.log.add("203.0.113.7", SignatureInvalid())
    written.clock.now += SECONDS
    written.log.add("203.0.113.7", SignatureInvalid())
    assert written.lines == [
        ("203.0.113.7", INVALID, 1),
        ("203.0.113.7", INVALID, 999),
        ("203.0.113.7", INVALID, 1),
    ]


def test_addresses_and_reasons_are_counted_apart(written: Lines) -> None:
    written.log.add("a", SignatureInvalid())
    written.log.add("b", SignatureInvalid())
    written.log.add("a", BodyTooLarge())
    assert written.lines == [("a", INVALID, 1), ("b", INVALID, 1), ("a", LARGE, 1)]


def test_what_was_counted_is_logged_at_the_end(written: Lines) -> None:
    for _ in range(3):
        written.log.add("a", BodyTooLarge())
    written.log.close()
    written.log.close()
    assert written.lines == [("a", LARGE, 1), ("a", LARGE, 2)]


def test_what_a_client_sent_makes_no_new_reason(written: Lines) -> None:
    for number in range(9):
        written.log.add("a", InvalidFields([{"field": "oeid", "reason": f"is {number}"}]))
        written.log.add("a", TooManyRequests(number))
    assert [line[2] for line in written.lines] == [1, 1]


def test_a_line_has_the_reason_of_the_response(written: Lines) -> None:
    for number in range(3):
        written.log.add("a", MalformedJson(f"reason {number}"))
    written.log.close()
    assert written.lines == [
        ("a", "Malformed JSON data: reason 0", 1),
        ("a", "Malformed JSON data: reason 2", 2),
    ]


def test_memory_is_bounded(written: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusal_log, "MOST", 10)
    for number in range(100):
        written.log.add(f"address {number}", BodyTooLarge())
        written.log.add(f"address {number}", BodyTooLarge())
    written.log.close()
    assert sum(line[2] for line in written.lines) == 200
