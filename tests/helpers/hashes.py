"""Password hashes that cost next to nothing: the real ones are slow on purpose."""

from __future__ import annotations

import base64
import hashlib


def cheap_hash(password: str) -> str:
    """Return a hash as `shared.passwords` makes them, with the lowest cost."""
    digest = hashlib.scrypt(password.encode(), salt=b"salt", n=2, r=1, p=1, dklen=32)
    parts = (base64.b64encode(part).decode() for part in (b"salt", digest))
    return "scrypt$2$1$1$" + "$".join(parts)
