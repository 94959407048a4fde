from __future__ import annotations

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
