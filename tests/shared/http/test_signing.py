from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import SignatureInvalid, SignatureMissing
from shared.http.signing import sign, verify

KEY, PREVIOUS = b"key", b"the key before"
BODY = b'{"oeid": "1"}'
RIGHT = sign(KEY, BODY)


def test_a_signature_is_hmac_sha_256() -> None:
    # RFC 4231, test case 2.
    assert sign(b"Jefe", b"what do ya want for nothing?") == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


def test_the_signature_is_given_as_bytes() -> None:
    assert verify([KEY], BODY, RIGHT) == bytes.fromhex(RIGHT)


def test_every_key_in_use_is_accepted() -> None:
    assert verify([KEY, PREVIOUS], BODY, sign(PREVIOUS, BODY)).hex() == sign(PREVIOUS, BODY)
    assert verify([KEY, PREVIOUS], BODY, RIGHT).hex() == RIGHT


@pytest.mark.parametrize("header", [None, "", " ", "\t"])
def test_no_header_is_missing(header: str | None) -> None:
    with pytest.raises(SignatureMissing):
        verify([KEY], BODY, header)


@pytest.mark.parametrize(
    "header",
    [
        RIGHT[:-1],
        RIGHT + "0",
        RIGHT.upper(),
        f" {RIGHT}",
        f"{RIGHT}\n",
        f"{RIGHT},{RIGHT}",
        f"HMAC {RIGHT}",
        "z" * 64,
        "0" * 64,
        "ü" * 64,
        "\N{FULLWIDTH DIGIT ONE}" * 64,
        "\ud800",
        "\x00" * 64,
        "not hex",
        sign(b"another key", BODY),
        sign(KEY, BODY + b" "),
    ],
)
def test_everything_else_is_invalid(header: str) -> None:
    with pytest.raises(SignatureInvalid):
        verify([KEY, PREVIOUS], BODY, header)


MALFORMED = "expected 64 lower-case hex digits"


@pytest.mark.parametrize(
    "header",
    [
        RIGHT.upper(),
        RIGHT[:-1],
        RIGHT + "0",
        f"Bearer {RIGHT}",
        f"HMAC-SHA256 {RIGHT}",
        f"sha256={RIGHT}",
        f'"{RIGHT}"',
        f"'{RIGHT}'",
        f"0x{RIGHT}",
        f" {RIGHT}",
        f"{RIGHT} ",
        f"{RIGHT[:32]} {RIGHT[32:]}",
        ":".join(RIGHT[i : i + 2] for i in range(0, 64, 2)),
        base64.b64encode(bytes.fromhex(RIGHT)).decode(),
        RIGHT[:-1] + "g",
        "Basic dXNlcjpwYXNzd29yZA==",
    ],
)
def test_a_malformed_header_is_told_the_right_form(header: str) -> None:
    for keys in ([KEY], [PREVIOUS], []):
        with pytest.raises(SignatureInvalid) as caught:
            verify(keys, BODY, header)
        assert caught.value.reason == MALFORMED


def test_a_wrong_signature_is_told_nothing_about_the_right_one() -> None:
    nearly = RIGHT[:-1] + ("1" if RIGHT[-1] == "0" else "0")
    reasons = set()
    for header in (sign(b"another key", BODY), sign(KEY, BODY + b"\n"), "0" * 64, nearly):
        with pytest.raises(SignatureInvalid) as caught:
            verify([KEY, PREVIOUS], BODY, header)
        reasons.add(caught.value.reason)
    assert reasons == {
        "the signature is of other bytes or by another key: sign exactly the bytes that are sent"
    }


@pytest.mark.parametrize(
    ("header", "reason"),
    [(None, "the request has no Authorization header"), (" ", "the Authorization header is empty")],
)
def test_a_missing_header_is_told_from_an_empty_one(header: str | None, reason: str) -> None:
    with pytest.raises(SignatureMissing) as caught:
        verify([KEY], BODY, header)
    assert caught.value.reason == reason


def test_without_a_key_nothing_is_valid() -> None:
    with pytest.raises(SignatureInvalid):
        verify([], BODY, RIGHT)


@given(header=st.none() | st.text(), body=st.binary())
def test_nothing_but_the_two_refusals_comes_of_any_header(header: str | None, body: bytes) -> None:
    with pytest.raises((SignatureMissing, SignatureInvalid)):
        verify([KEY, PREVIOUS], body, header)


@given(key=st.binary(), body=st.binary())
def test_every_signature_is_accepted_for_its_own_body_and_key(key: bytes, body: bytes) -> None:
    assert verify([PREVIOUS, key], body, sign(key, body)).hex() == sign(key, body)
