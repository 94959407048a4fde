"""The address of what became of one request: `/sync/<signature>/`, the `Location` of 201 and 409.

The signature is the capability: the client that made the request has it, and it cannot be guessed.
"""

from __future__ import annotations

import re

ROUTE = "/sync/{signature}"
"""What the routes, and the OpenAPI document, call it."""

_ADDRESS = re.compile(r"/sync/([0-9a-f]{64})/?", re.ASCII)


def of(signature: bytes) -> str:
    """Return the address for a signature, 32 bytes."""
    return f"/sync/{signature.hex()}/"


def signature_in(path: str) -> bytes | None:
    """Return the signature that a path names, None if it is no such address.

    ===================================  =========
    path, with x for 64 digits           signature
    ===================================  =========
    ``/sync/x/``, ``/sync/x``            x
    ``/sync/X/``, in upper case          None
    ``/sync/x//``, ``/sync/x/y``         None
    ``/sync/``, ``/sync/x0/``            None
    ===================================  =========

    Args:
        path: decoded, without a stage.
    """
    match = _ADDRESS.fullmatch(path)
    return bytes.fromhex(match[1]) if match else None
