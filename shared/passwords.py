"""Passwords: a salted scrypt hash, created once and compared in constant time.

A hash is one line of text, `scrypt$n$r$p$salt$hash` with salt and hash in base64, so that it fits
into an environment variable and carries its own parameters.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

COST, BLOCK, PARALLEL = 2**15, 8, 3
"""Cost parameters that OWASP's password storage cheat sheet lists for scrypt, 32 MiB."""

SCHEME = "scrypt$"
SALT_BYTES = 16
MEMORY_BYTES = 256 * 1024 * 1024
"""No real hash needs more than this; a mistyped one must not use up the machine's memory."""


def hash_password(password: str) -> str:
    """Return the hash of a password, with a new salt each time."""
    salt = secrets.token_bytes(SALT_BYTES)
    digest = _scrypt(password, salt, COST, BLOCK, PARALLEL)
    fields = (base64.b64encode(part).decode() for part in (salt, digest))
    return SCHEME + "$".join((str(COST), str(BLOCK), str(PARALLEL), *fields))


def verify(password: str, encoded: str) -> bool:
    """Return whether `encoded` is a hash of this password.

    Raises:
        ValueError: `encoded` is not a hash that `hash_password` could have returned.
    """
    try:
        cost, block, parallel, salt, digest = encoded.removeprefix(SCHEME).split("$")
        expected = base64.b64decode(digest, validate=True)
        actual = _scrypt(
            password, base64.b64decode(salt, validate=True), int(cost), int(block), int(parallel)
        )
    except (ValueError, binascii.Error, OverflowError) as error:
        raise ValueError("expected scrypt$n$r$p$salt$hash") from error
    return hmac.compare_digest(actual, expected)


def _scrypt(password: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    return hashlib.scrypt(
        password.encode(errors="surrogatepass"),
        salt=salt,
        n=cost,
        r=block,
        p=parallel,
        maxmem=MEMORY_BYTES,
        dklen=32,
    )
