"""Signatures of requests: HMAC-SHA256 (RFC 2104) over the raw bytes of the body."""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence

from shared.errors import SignatureInvalid, SignatureMissing

_HEX_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NO_SIGNATURE = "0" * 64

NO_HEADER = "the request has no Authorization header"
EMPTY = "the Authorization header is empty"
MALFORMED = "expected 64 lower-case hex digits"
MISMATCH = "the signature is of other bytes or by another key: sign exactly the bytes that are sent"
"""What a client may learn of a refusal: never which key or signature would be right."""


def sign(key: bytes, body: bytes) -> str:
    """Return the signature of a body as 64 lower-case hex digits."""
    return hmac.digest(key, body, "sha256").hex()


def verify(keys: Sequence[bytes], body: bytes, header: str | None) -> bytes:
    """Check the Authorization header of a request.

    Whatever is wrong with a header takes the same path: every key is tried, each in constant time.
    The reason depends on the form of the header alone, which its sender sees as well.

    Args:
        keys: the keys in use; more than one while keys rotate.
        body: the body's raw bytes.
        header: the header's value, None if it was not sent.

    Returns:
        The signature's 32 bytes.

    Raises:
        SignatureMissing: there is no header or it is empty.
        SignatureInvalid: it is not the body's signature by any of the keys.
    """
    if header is None:
        raise SignatureMissing(NO_HEADER)
    if not header.strip():
        raise SignatureMissing(EMPTY)
    well_formed = _HEX_SHA256.fullmatch(header) is not None
    given = header if well_formed else _NO_SIGNATURE
    matches = [hmac.compare_digest(sign(key, body), given) for key in keys]
    if not (any(matches) and well_formed):
        raise SignatureInvalid(MISMATCH if well_formed else MALFORMED)
    return bytes.fromhex(given)
