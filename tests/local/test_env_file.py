from __future__ import annotations

from pathlib import Path

import pytest

from local.env_file import read
from local.environment import LocalEnvironment
from shared.errors import SettingError

ACCEPTED = [
    ("KEY=plain", "plain"),
    ("KEY=a hash$32768$8$3$c2FsdA==$aGFzaA==", "a hash$32768$8$3$c2FsdA==$aGFzaA=="),
    ("KEY='single # quotes'  # why", "single # quotes"),
    ("KEY='single'#why", "single"),
    ('export KEY = "double # quotes"', "double # quotes"),
    ("  export\tKEY=indented", "indented"),
    ("KEY=value # why", "value"),
    ("KEY=value\t# why", "value"),
    ("KEY=value#1  ", "value#1"),
    ("KEY=#1", "#1"),
    ("KEY=", ""),
    ("KEY=''", ""),
    ("KEY='  kept  '", "  kept  "),
    ("KEY=it's", "it's"),
    ('KEY=say "it"', 'say "it"'),
    ("KEY=first\nKEY=last", "last"),
    ("KEY=a=b==", "a=b=="),
    ("KEY='${OUTER}'", "${OUTER}"),
    ("KEY='$OUTER ${' # why", "$OUTER ${"),
    ("KEY=${OUTER}/x", "outside/x"),
    ('KEY="${OUTER}/${OUTER}"', "outside/outside"),
    ("KEY=$OUTER", "$OUTER"),
    ("KEY=${NOWHERE:-else}", "else"),
    ("KEY=${OUTER:-else}", "outside"),
    ("KEY=x${NOWHERE:-}y", "xy"),
    ("TZ=one\nKEY=${TZ}-two", "one-two"),
    ("OUTER=inner\nKEY=${OUTER}", "outside"),
    (r'KEY="a\"b\\c\${OUTER}"', r'a"b\c${OUTER}'),
    ("KEY='back\\slash'", "back\\slash"),
    ("KEY=back\\slash", "back\\slash"),
    ("KEY=ümläut ß 文", "ümläut ß 文"),
    ("KEY=tab\tinside", "tab\tinside"),
]
"""Lines, and the value of KEY where OUTER is `outside`; local/compose.sh is tried with them too."""

REFUSED = [
    ("gibberish", "expected NAME=value"),
    ("KEY", "expected NAME=value"),
    ("KEY: value", "expected NAME=value"),
    ("=value", "expected NAME=value"),
    ("MY KEY=value", "expected NAME=value"),
    ("2KEY=value", "2KEY: expected NAME=value"),
    ("'KEY'=value", "expected NAME=value"),
    ("<<<<<<< HEAD", "expected NAME=value"),
    ("export KEY", "expected NAME=value"),
    ("KEY='open", "KEY: the quote is not closed"),
    ('KEY="open', "KEY: the quote is not closed"),
    ('KEY="open\\"', "KEY: the quote is not closed"),
    ("KEY='two\nlines'", "KEY: the quote is not closed"),
    ("KEY='a' b", "KEY: there is text after the closing quote"),
    ('KEY="a"b', "KEY: there is text after the closing quote"),
    ("KEY='it''s'", "KEY: there is text after the closing quote"),
    (r'KEY="a\nb"', "KEY: a backslash"),
    ("KEY=${NOWHERE}", "KEY: ${NOWHERE} is not set"),
    ("KEY=${KEY}", "KEY: ${KEY} is not set"),
    ("KEY=${OUTER", "KEY: only ${NAME}"),
    ("KEY=${OUTER?no}", "KEY: only ${NAME}"),
    ("KEY=${}", "KEY: only ${NAME}"),
    ("KEY= # why", "KEY: a number sign"),
    ("KEY=a\x1bb", "KEY: the value has a control character"),
    ("KEY=a\rb", "KEY: the value has a control character"),
]
"""Second lines of a file, and what is said of each."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def value(file: Path) -> str:
    return {line.name: line.value for line in read(file, {"OUTER": "outside"})}["KEY"]


@pytest.mark.parametrize(("text", "expected"), ACCEPTED)
@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_a_line_is_read(file: Path, text: str, expected: str, end: str) -> None:
    lines = ["# KEY=no", "", *text.split("\n")]
    file.write_bytes(((end or "\n").join(lines) + end).encode())
    assert value(file) == expected


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_what_is_no_assignment_is_refused_by_file_and_line(
    file: Path, text: str, reason: str
) -> None:
    file.write_bytes(f"# why\n{text}\nTZ=UTC\n".encode())
    with pytest.raises(SettingError) as caught:
        read(file, {"OUTER": "outside"})
    assert caught.value.about.startswith(f".env:2: {reason}")
    assert "\n" not in str(caught.value)


def test_every_line_knows_its_place(file: Path) -> None:
    file.write_text("\n# why\nPORT=1\n\nHOST=2\n")
    assert [line.place for line in read(file, {})] == [".env:3", ".env:5"]


def test_only_line_feeds_end_lines(file: Path) -> None:
    file.write_text("KEY=a\u2028b\x85c\n", encoding="utf-8")
    assert value(file) == "a\u2028b\x85c"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_utf_8_is_read_with_and_without_a_byte_order_mark(file: Path, encoding: str) -> None:
    file.write_text("KEY=ß\n", encoding=encoding)
    assert value(file) == "ß"


@pytest.mark.parametrize("encoding", ["iso-8859-1", "cp1252"])
def test_another_encoding_is_named_with_line_and_variable(file: Path, encoding: str) -> None:
    file.write_bytes("PORT=1\nADMIN_USER=Jürgen\n".encode(encoding))
    with pytest.raises(SettingError, match=r"\.env:2: ADMIN_USER: not UTF-8.*ISO-8859-1"):
        read(file, {})


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wide_characters_are_named(file: Path, encoding: str) -> None:
    file.write_bytes("PORT=1\n".encode(encoding))
    with pytest.raises(SettingError, match=r"\.env:1: the file (is UTF-16|has zero bytes); save"):
        read(file, {})


def test_no_file_is_no_lines(file: Path) -> None:
    assert read(file, {}) == []


def test_what_cannot_be_read_is_one_line(file: Path) -> None:
    file.mkdir()
    with pytest.raises(SettingError, match=r"\.env: cannot be read: Is a directory$"):
        read(file, {})
    file.rmdir()
    file.symlink_to(file.name)
    with pytest.raises(SettingError, match=r"\.env: cannot be read: Too many"):
        read(file, {})
    file.unlink()
    file.symlink_to("nowhere")
    with pytest.raises(SettingError, match=r"\.env: is a link to a file that does not exist$"):
        read(file, {})


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("RATE_LIMT_POST", "RATE_LIMIT_POST"),
        ("port", "PORT"),
        ("SECRETKEY", "SECRET_KEY"),
        ("SECRET_KEY_ARM", "SECRET_KEY_ARN"),
        ("DATABSE_URL", "DATABASE_URL"),
        ("AWS_S3_BUCKET", "AWS_S3_BUCKET_NAME"),
        ("AWS_S3_ACESS_KEY_ID", "AWS_S3_ACCESS_KEY_ID"),
        ("AWS_PROFIL", "AWS_PROFILE"),
        ("LOCALSTACK_HOTS", "LOCALSTACK_HOST"),
        ("RABBIT_URL", "RABBITMQ_URL"),
    ],
)
def test_a_misspelt_name_is_refused_with_what_was_meant(file: Path, name: str, meant: str) -> None:
    file.write_text(f"TZ=UTC\n{name}=5\n")
    with pytest.raises(SettingError) as caught:
        LocalEnvironment.load({}, file.parent)
    assert str(caught.value) == (
        f"Invalid setting: .env:2: {name}: nothing reads this name; did you mean {meant}?"
    )


def test_a_name_like_no_other_is_refused_without_a_guess(file: Path) -> None:
    file.write_text("FAVORITE_COLOR=blue\n")
    with pytest.raises(SettingError, match=r"\.env:1: FAVORITE_COLOR: nothing reads this name$"):
        LocalEnvironment.load({}, file.parent)


def test_an_invalid_value_is_named_with_its_place(file: Path) -> None:
    file.write_text("TZ=UTC\nDATA_DIR=~nobody-of-that-name/x\n")
    with pytest.raises(SettingError, match=r"\.env:2: DATA_DIR: no home folder"):
        LocalEnvironment.load({}, file.parent)
