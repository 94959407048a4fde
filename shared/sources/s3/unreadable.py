"""Objects that S3 has and that no attempt will read as they are: a pure rule."""

from __future__ import annotations

import html
import re
from http import HTTPStatus

from shared.errors import ObjectUnreadable
from shared.sources.s3.refusals import code_of

MOST_SHOWN = 300
"""Characters of a server's own message that are shown."""

_ARCHIVED = "it is archived and must be restored first"
_CLIENTS_KEY = "it is encrypted with a key of the client's own (SSE-C)"
_KMS_KEY = "its KMS key cannot be used"

_CAUSES = {
    "InvalidObjectState": _ARCHIVED,
    "ResourceIsEncryptedWithCustomerEncryptionKey": _CLIENTS_KEY,  # of Google Cloud Storage
}

_KMS = re.compile(r"KMS\.(?!\w*(?:Throttling|Internal|Timeout))\w+")
"""Codes about the object's KMS key; that KMS is busy is not among them (KMS API reference, Decrypt,
"Errors")."""


_KMS_MEANT = re.compile(r"\bkms\b|master key")


def unreadable(status: int, document: bytes) -> ObjectUnreadable | None:
    """Return the error of an object that cannot be read as it is, None for any other refusal.

    ===========================================  ==============================================
    response                                     cause
    ===========================================  ==============================================
    InvalidObjectState                           archived: Glacier, Deep Archive, the archive
                                                 tiers of Intelligent-Tiering
    KMS.DisabledException, .NotFoundException …  its KMS key is disabled, missing, to be deleted
    AccessDenied whose message is about KMS      as above, or the key may not be used
    400 InvalidRequest about encryption          SSE-C: S3 asks for the client's key
    any other 400 InvalidRequest                 S3's message alone tells
    KMS.ThrottlingException, KMS.Internal…       None: a later attempt may succeed
    ===========================================  ==============================================

    Args:
        status: of the response.
        document: its body, or the beginning of it.
    """
    code, message = code_of(document), message_of(document)
    about = message.lower()
    if code in _CAUSES:
        cause = _CAUSES[code]
    elif _KMS.fullmatch(code) or (code == "AccessDenied" and _KMS_MEANT.search(about)):
        cause = _KMS_KEY
    elif status == HTTPStatus.BAD_REQUEST and code == "InvalidRequest":
        cause = _CLIENTS_KEY if "encrypt" in about else ""
    else:
        return None
    text = ": ".join(part for part in (cause, message) if part)
    return ObjectUnreadable(f"{text} ({status} {code})".strip())


def message_of(document: bytes) -> str:
    """Return the `Message` of an S3 error document on one line, empty where it has none."""
    match = re.search(rb"<Message>(.*?)</Message>", document, re.DOTALL)
    text = html.unescape(match[1].decode(errors="replace")) if match else ""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())[:MOST_SHOWN]
