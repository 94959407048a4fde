"""What the headers of an object's answer say about it: pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from shared.sources.digests import Check
from shared.sources.s3.checksums import best_check

_ETAG = re.compile(r'(?P<weak>[Ww]/)?(?P<quote>"?)(?P<tag>[^"]*)(?P=quote)')
_LENGTH = re.compile(r"[0-9]{1,18}")


def is_same_version(headers: Mapping[str, str], etag: str) -> bool | None:
    """Return whether the ETag among some headers is a strong one and equal; None without one.

    A weak ETag only means that two versions are as good as each other (RFC 9110, section 8.8.1).

    Args:
        headers: names in lower case.
        etag: without quotes.
    """
    if "etag" not in headers:
        return None
    match = _ETAG.fullmatch(headers["etag"].strip())
    return match is not None and not match["weak"] and match["tag"] == etag


@dataclass(frozen=True, slots=True)
class ObjectHead:
    """An object as the headers of a plain GET describe it.

    Attributes:
        size: bytes of the body, None where the server does not say.
        etag: without quotes, None where the server gives none, or an empty one.
        check: the digest that its bytes must have.
        divisible: whether the server claims to honor ranges, and has an ETag to pin them to.
        framed: whether the end of the body is marked, so that a shorter one is noticed.
        decoded: whether the body is, or may be, not what is stored but its decompressed form.
        compressed_on_the_way: whether it may be the compressed form of what is stored.
    """

    size: int | None
    etag: str | None
    check: Check | None
    divisible: bool
    framed: bool
    decoded: bool
    compressed_on_the_way: bool

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Self:
        """Read the headers of a 200 to a GET without a range; names in lower case.

        ===========================  ======================  ==================================
        Content-Length               Content-Encoding        the body is
        ===========================  ======================  ==================================
        given                        any                     what is stored, for that is what
                                                             has a known length
        given, but GCS says that     none                    decompressed by GCS
        gzip is stored
        missing                      none                    perhaps decompressed on the way
        missing                      gzip                    as stored, or compressed on the
                                                             way: the digests decide
        ===========================  ======================  ==================================
        """
        length = headers.get("content-length", "")
        size = int(length) if _LENGTH.fullmatch(length) else None
        tag = headers.get("etag", "")
        match = _ETAG.fullmatch(tag.strip())
        etag = (match["tag"] if match else tag.strip()) or None
        encoded = "content-encoding" in headers
        stored = headers.get("x-goog-stored-content-encoding", "identity")
        return cls(
            size=size,
            etag=etag,
            check=best_check(headers),
            divisible=etag is not None
            and match is not None
            and not match["weak"]
            and size is not None
            and headers.get("accept-ranges") == "bytes",
            framed=size is not None or "chunked" in headers.get("transfer-encoding", "").lower(),
            decoded=not encoded and (size is None or stored == "gzip"),
            compressed_on_the_way=encoded and size is None and stored != "gzip",
        )
