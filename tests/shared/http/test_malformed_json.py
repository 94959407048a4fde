"""One row for each kind of body that is no JSON object, and what its client is told."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidFields, MalformedJson
from shared.http.json_scanner import Fault, first_fault
from shared.http.validation import parse

SINGLE = "single quotes: names and strings are in double quotes"
TYPOGRAPHIC = 'typographic quotes: names and strings are in straight ones, "'
UTF_16 = "the body is UTF-16, by its byte order mark: send UTF-8"
UTF_32 = "the body is UTF-32, by its byte order mark: send UTF-8"
UNMARKED = "the body is UTF-16 or UTF-32: send UTF-8"
FORM = "the body is form-encoded: send a JSON object"
MULTIPART = "the body is multipart: send a JSON object alone"
COMMENT = "a comment, which JSON does not have"
LINE_BREAK = r"a line break in a string: write \n, or close the string"

CASES: list[tuple[bytes | str, str]] = [
    # Nothing, or another kind of value.
    ("", "the body is empty"),
    (" \r\n\t", "the body is empty but for white space"),
    ("[]", "expected a JSON object, got an array"),
    ('[{"oeid": "1"}]', "expected a JSON object, got an array"),
    ('"text"', "expected a JSON object, got a string"),
    (r'"{\"oeid\": \"1\"}"', "expected a JSON object, got a string: it is encoded twice"),
    ("17", "expected a JSON object, got a number"),
    ("-1.5e3", "expected a JSON object, got a number"),
    ("null", "expected a JSON object, got null"),
    ("true", "expected a JSON object, got true"),
    (" false ", "expected a JSON object, got false"),
    # Names.
    ('{"oeid": "1", "oeid": "2"}', 'duplicate name "oeid"'),
    (r'{"oeid": "1", "\u006feid": "2"}', 'duplicate name "oeid"'),
    ('{"more": {"a": 1, "a": 1}}', 'duplicate name "a"'),
    (json.dumps({"x" * 90: 1})[:-1] + f', "{"x" * 90}": 2}}', f'duplicate name "{"x" * 20}..."'),
    ('{"é": 1, "é": 2}', r'duplicate name "\u00e9"'),
    (r'{"\n": 1, "\n": 2}', r'duplicate name "\n"'),
    ("{oeid: 1}", 'line 1, column 2: expected a name in double quotes, got "oeid"'),
    ('{1: "a"}', 'line 1, column 2: expected a name in double quotes, got "1"'),
    ('{{"a": 1}}', 'line 1, column 2: expected a name in double quotes, got "{"'),
    # Encodings.
    (b'{"oeid": "ab\xff"}', "not UTF-8: byte 0xff at position 12"),
    (b'{"oeid": "\xed\xa0\x80"}', "not UTF-8: byte 0xed at position 10"),
    ('{"oeid": "é"}'.encode("latin-1"), "not UTF-8: byte 0xe9 at position 10"),
    (b'{"oeid": "\xc3', "not UTF-8: byte 0xc3 at position 10"),
    (b"\xef\xbb\xbf{}", "the body begins with a UTF-8 byte order mark: leave it out"),
    ('{"a": 1}'.encode("utf-16"), UTF_16),
    (b"\xfe\xff" + '{"a": 1}'.encode("utf-16-be"), UTF_16),
    ('{"a": 1}'.encode("utf-32"), UTF_32),
    (b"\x00\x00\xfe\xff" + '{"a": 1}'.encode("utf-32-be"), UTF_32),
    ('{"a": 1}'.encode("utf-16-le"), UNMARKED),
    ('{"a": 1}'.encode("utf-16-be"), UNMARKED),
    ('{"a": 1}'.encode("utf-32-le"), UNMARKED),
    ('{"a": 1}'.encode("utf-32-be"), UNMARKED),
    (b"\x1f\x8b\x08\x00\x00", "the body is compressed by gzip: send it as it is"),
    # Commas and colons.
    ('{"oeid": "1",}', "line 1, column 13: a comma too many"),
    ('{"oeid": "1"\n,\n}', "line 2, column 1: a comma too many"),
    ('{"a": 1,, "b": 2}', "line 1, column 9: a comma too many"),
    ('{, "a": 1}', "line 1, column 2: a comma too many"),
    ('{"a": [1, 2,]}', "line 1, column 12: a comma too many"),
    ('{"a": [1,, 2]}', "line 1, column 10: a comma too many"),
    ('{"a": [, 1]}', "line 1, column 8: a comma too many"),
    ('{"a": 1 "b": 2}', "line 1, column 9: a comma is missing"),
    ('{"a": 1\n "b": 2}', "line 2, column 2: a comma is missing"),
    ('{"a": 1\r\n "b": 2}', "line 2, column 2: a comma is missing"),
    ('{"é": 1 "b": 2}', "line 1, column 9: a comma is missing"),
    ('{"a": [1 2]}', "line 1, column 10: a comma is missing"),
    ('{"a": ["x" true]}', "line 1, column 12: a comma is missing"),
    ('{"a": {} {}}', "line 1, column 10: a comma is missing"),
    ('{"a": 1: 2}', 'line 1, column 8: expected a comma or "}", got ":"'),
    ('{"a": 1; "b": 2}', 'line 1, column 7: "1;" is not a number as JSON has it'),
    ('{"a" 1}', "line 1, column 6: a colon is missing"),
    ('{"a" = 1}', "line 1, column 6: a colon is missing"),
    ('{"a"}', "line 1, column 5: a colon is missing"),
    ('{"a":}', "line 1, column 6: a value is missing"),
    ('{"a":, "b": 1}', "line 1, column 6: a value is missing"),
    # Quotes and strings.
    ("{'oeid': '1'}", f"line 1, column 2: {SINGLE}"),
    ("{\"oeid\": '1'}", f"line 1, column 10: {SINGLE}"),
    ("{`oeid`: 1}", f"line 1, column 2: {SINGLE}"),
    ("{“oeid”: 1}", f"line 1, column 2: {TYPOGRAPHIC}"),
    ('{"oeid": „1“}', f"line 1, column 10: {TYPOGRAPHIC}"),
    ('{"oeid": "1', "line 1, column 10: a string is not closed"),
    ('{"oeid', "line 1, column 2: a string is not closed"),
    ('{"oeid": "1\\', "line 1, column 10: a string is not closed"),
    ('{"oeid": "1\n", "a": 1}', f"line 1, column 12: {LINE_BREAK}"),
    ('{"a": "x\ty"}', r"line 1, column 9: control character U+0009 in a string: write \u0009"),
    ('{"a": "x\0y"}', r"line 1, column 9: control character U+0000 in a string: write \u0000"),
    (r'{"a": "C:\temp\x"}', "line 1, column 15: an invalid escape in a string"),
    (r'{"a": "\u12"}', "line 1, column 8: an invalid escape in a string"),
    ('{"a": "say "hi" now"}', 'line 1, column 13: expected a comma or "}", got "hi"'),
    # Values.
    ('{"a": NaN}', "line 1, column 7: NaN is not JSON"),
    ('{"a": [Infinity]}', "line 1, column 8: Infinity is not JSON"),
    ('{"a": -Infinity}', "line 1, column 7: -Infinity is not JSON"),
    ("NaN", "line 1, column 1: NaN is not JSON"),
    ('{"a": None}', "line 1, column 7: None is not JSON, null is"),
    ('{"a": undefined}', "line 1, column 7: undefined is not JSON, null is"),
    ('{"a": True}', "line 1, column 7: True is not JSON, true is"),
    ('{"a": hello}', 'line 1, column 7: expected a value, got "hello"'),
    ('{"a": ' + "h" * 99 + "}", f'line 1, column 7: expected a value, got "{"h" * 20}..."'),
    ('{"a": \x1b[2J}', r'line 1, column 7: expected a value, got "\u001b"'),
    ('{"a": 01}', 'line 1, column 7: "01" is not a number as JSON has it'),
    ('{"a": .5}', 'line 1, column 7: ".5" is not a number as JSON has it'),
    ('{"a": 1.}', 'line 1, column 7: "1." is not a number as JSON has it'),
    ('{"a": +1}', 'line 1, column 7: "+1" is not a number as JSON has it'),
    ('{"a": 0x1F}', 'line 1, column 7: "0x1F" is not a number as JSON has it'),
    ('{"a": 1_000}', 'line 1, column 7: "1_000" is not a number as JSON has it'),
    ('{"a": -}', 'line 1, column 7: "-" is not a number as JSON has it'),
    ('{"a": ' + "9" * 5_000 + "}", "line 1, column 7: a number of more than 4300 digits"),
    # Beginnings and ends.
    ("{", 'line 1, column 2: the body ends too early, "}" is missing'),
    ('{"a": [1', 'line 1, column 9: the body ends too early, "]" is missing'),
    ('{"a"', "line 1, column 5: the body ends too early, a colon is missing"),
    ('{"a": ', "line 1, column 7: the body ends too early, a value is missing"),
    ('{"a": 1, ', 'line 1, column 10: the body ends too early, "}" is missing'),
    ('{"a": [1}', 'line 1, column 9: expected a comma or "]", got "}"'),
    ('{"a": 1]', 'line 1, column 8: expected a comma or "}", got "]"'),
    ('{"a": 1} {}', "line 1, column 10: text behind the end"),
    ('{"a": 1}\n{"a": 2}', "line 2, column 1: text behind the end"),
    ('{"a": 1}}', "line 1, column 9: text behind the end"),
    ('{"a": 1};', "line 1, column 9: text behind the end"),
    ('{"a": 1}\0', "line 1, column 9: text behind the end"),
    ('"a": 1', "line 1, column 4: text behind the end"),
    ('{"a": 1, // one\n "b": 2}', f"line 1, column 10: {COMMENT}"),
    ('{/* one */ "a": 1}', f"line 1, column 2: {COMMENT}"),
    ('{"a": 1 # one\n}', f"line 1, column 9: {COMMENT}"),
    # Depth.
    ("[" * 65_536, "nested too deeply"),
    ('{"a":' * 10_000 + "1" + "}" * 10_000, "nested too deeply"),
    # No JSON at all.
    ("not json", 'line 1, column 1: expected a JSON object, got "not"'),
    ("oeid: 1", 'line 1, column 1: expected a JSON object, got "oeid"'),
    ("<oeid>1</oeid>", 'line 1, column 1: expected a JSON object, got "<oeid>1</oeid>"'),
    ("\N{NO-BREAK SPACE}{}", r'line 1, column 1: expected a JSON object, got "\u00a0"'),
    ("oeid=1&ref_id=2&file_name=a.jpg&file_type=image%2Fjpeg", FORM),
    ('payload={"oeid": "1"}', FORM),
    ("%7B%22oeid%22%3A%221%22%7D", FORM),
    ("--x\r\nContent-Disposition: form-data; name=oeid\r\n\r\n1\r\n--x--\r\n", MULTIPART),
]


def told(body: bytes, content_type: str = "") -> str:
    with pytest.raises(MalformedJson) as caught:
        parse(body, content_type)
    return caught.value.reason


@pytest.mark.parametrize(("body", "reason"), CASES, ids=lambda value: ascii(value)[:30])
def test_a_body_is_told_what_is_wrong_with_it(body: bytes | str, reason: str) -> None:
    assert told(body if isinstance(body, bytes) else body.encode()) == reason


@pytest.mark.parametrize(
    ("body", "content_type", "reason"),
    [
        (b"file", "multipart/form-data; boundary=x", MULTIPART),
        (b"file", " Multipart/Mixed", MULTIPART),
        (b"", "multipart/form-data", "the body is empty"),
        # curl -d says form-encoded whatever it sends.
        (
            b'{"a": 1,}',
            "application/x-www-form-urlencoded",
            "line 1, column 8: a comma too many",
        ),
        (b"a=1", "application/json", FORM),
    ],
)
def test_the_type_of_content_helps_where_the_body_is_no_json(
    body: bytes, content_type: str, reason: str
) -> None:
    assert told(body, content_type) == reason


SECRET = "hunter2hunter2hunter2hunter2"


@pytest.mark.parametrize(
    "text",
    [
        f'{{"a": {SECRET}}}',
        f"{{{SECRET}: 1}}",
        f'{{"{SECRET}": 1, "{SECRET}": 2}}',
        f'{{"a": 1 {SECRET}}}',
        SECRET,
        f"{{'{SECRET}': 1}}",
        f'{{"a": "{SECRET}',
        f'{{"a": +{SECRET}nan}}',
    ],
)
def test_no_more_than_a_short_piece_of_the_body_is_repeated(text: str) -> None:
    assert SECRET[:21] not in told(text.encode())


@given(st.binary(max_size=60) | st.text(string.printable).map(str.encode))
def test_every_reason_is_one_short_line_of_ascii(body: bytes) -> None:
    try:
        parse(body)
    except MalformedJson as malformed:
        reason = malformed.reason
        assert reason.isascii()
        assert reason.isprintable()
        assert 5 < len(reason) < 200
    except InvalidFields:
        return


PIECES = st.sampled_from(
    ["{", "}", "[", "]", ",", ":", '"a"', '"b"', "1", "-0.5e1", "true", "null", " ", "\n", '"', "'"]
)


@given(st.lists(PIECES, max_size=14).map("".join))
def test_the_scanner_and_pythons_parser_agree(text: str) -> None:
    def unique(pairs: list[tuple[str, object]]) -> object:
        if len(dict(pairs)) != len(pairs):
            raise ValueError
        return dict(pairs)

    try:
        json.loads(text, object_pairs_hook=unique)
    except ValueError:
        with pytest.raises(Fault):
            first_fault(text)
    else:
        first_fault(text)
