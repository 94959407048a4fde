"""The secret that a store sends along: as a bearer token, or as the password of a login.

MinIO and SeaweedFS send a token (RFC 6750). Ceph has no place for a secret but user and password in
its endpoint's URL, and sends them as HTTP Basic does (RFC 7617); the user's name does not matter.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from shared.errors import SecretRefused


def verify(secret: bytes, header: str | None) -> None:
    """Check the Authorization header of a request.

    Whatever is wrong with it, the answer is the same, and digests of one length are compared, in
    constant time.

    Args:
        secret: the secret.
        header: the header's value, None if it was not sent.

    Raises:
        SecretRefused: it does not have the secret.
    """
    given = hashlib.sha256(_given(header or "")).digest()
    if not hmac.compare_digest(given, hashlib.sha256(secret).digest()):
        raise SecretRefused


def _given(header: str) -> bytes:
    """Return the secret of a header, empty where there is none; no secret is empty."""
    scheme, _, credentials = header.strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return credentials.strip().encode(errors="surrogatepass")
        case "basic":
            try:
                return base64.b64decode(credentials.strip(), validate=True).partition(b":")[2]
            except ValueError:
                return b""
    return b""
