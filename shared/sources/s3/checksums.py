"""Digests of an object's bytes and what an S3 server says they must be.

A full-object checksum is compared as it is. A composite one (`…-N`, and the ETag of a multipart
upload) is the digest of the digests of N parts, and needs their sizes (AWS S3 user guide,
"Checking object integrity"). awscrt is known to this module only.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class Digest(Protocol):
    """As in `hashlib`."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Takes the next bytes."""
        ...

    def digest(self) -> bytes:
        """Gives the digest of all bytes so far."""
        ...


class _Crc:
    def __init__(self, function: Callable[..., int], width: int) -> None:
        self._function, self._width, self._value = function, width, 0

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._width, "big")


def _crc32() -> Digest:
    return _Crc(binascii.crc32, 4)


def _crc32c() -> Digest:
    from awscrt.checksums import crc32c  # noqa: PLC0415

    return _Crc(crc32c, 4)


def _crc64nvme() -> Digest:
    from awscrt.checksums import crc64nvme  # noqa: PLC0415

    return _Crc(crc64nvme, 8)


def _md5() -> Digest:
    return hashlib.md5(usedforsecurity=False)


def _sha1() -> Digest:
    return hashlib.sha1(usedforsecurity=False)


ALGORITHMS: Mapping[str, Callable[[], Digest]] = {
    "sha256": hashlib.sha256,
    "crc64nvme": _crc64nvme,
    "crc32c": _crc32c,
    "crc32": _crc32,
    "sha1": _sha1,
    "md5": _md5,
}
"""By name, in order of preference: the strongest that costs nothing extra, then the cheapest."""

_CHECKSUM = re.compile(r"([A-Za-z0-9+/]+={0,2})(?:-(\d{1,5}))?")
_ETAG = re.compile(r'"([0-9a-f]{32})(?:-([1-9]\d{0,4}))?"')


@dataclass(frozen=True, slots=True)
class Check:
    """What the bytes must give.

    Attributes:
        algorithm: a name of `ALGORITHMS`.
        value: the digest, in hex.
        parts: of how many parts it is the digest of digests; 0 for the whole object's own.
    """

    algorithm: str
    value: str
    parts: int = 0

    @property
    def name(self) -> str:
        """The name for the log, such as `md5` or `md5 of 12 parts`."""
        return f"{self.algorithm} of {self.parts} parts" if self.parts else self.algorithm


def best_check(headers: Mapping[str, str]) -> Check | None:
    """Chooses what to check an object against from the headers of the whole object's answer.

    A full-object checksum is preferred to a composite one, and any checksum to the ETag. The
    ETag is an MD5 only of objects that were not encrypted with KMS or a customer's key (AWS S3
    API reference, "Object").

    Args:
        headers: of a `GetObject` without a range, names in lower case.

    Returns:
        The check, or None where the headers hold none.
    """
    found = [c for a in ALGORITHMS if (c := _header_check(a, headers)) is not None]
    etag = _etag_check(headers)
    if etag is not None:
        found.append(etag)
    return min(found, key=lambda c: bool(c.parts)) if found else None


def _header_check(algorithm: str, headers: Mapping[str, str]) -> Check | None:
    match = _CHECKSUM.fullmatch(headers.get(f"x-amz-checksum-{algorithm}", ""))
    if match is None:
        return None
    try:
        value = base64.b64decode(match[1], validate=True)
    except binascii.Error:
        return None
    if len(value) != len(ALGORITHMS[algorithm]().digest()):
        return None
    parts = int(match[2] or 0)
    if not parts and headers.get("x-amz-checksum-type") == "COMPOSITE":
        return None  # how many parts is not said
    return Check(algorithm, value.hex(), parts)


def _etag_check(headers: Mapping[str, str]) -> Check | None:
    if headers.get("x-amz-server-side-encryption", "").startswith("aws:kms") or (
        "x-amz-server-side-encryption-customer-algorithm" in headers
    ):
        return None
    match = _ETAG.fullmatch(headers.get("etag", ""))
    return Check("md5", match[1], int(match[2] or 0)) if match else None


class PartsDigest:
    """The digest of the digests of parts.

    Args:
        algorithm: a name of `ALGORITHMS`.
        sizes: bytes of each part; the last one stands for all that follow.
    """

    def __init__(self, algorithm: str, sizes: Sequence[int]) -> None:
        self._new = ALGORITHMS[algorithm]
        self._sizes = list(sizes)
        self._part = 0
        self._digest = self._new()
        self._left = self._sizes[0]
        self._done = b""

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Takes the next bytes."""
        view = memoryview(data)
        while view.nbytes:
            if not self._left:
                self._done += self._digest.digest()
                self._digest = self._new()
                self._part = min(self._part + 1, len(self._sizes) - 1)
                self._left = self._sizes[self._part]
            piece = view[: self._left]
            self._digest.update(piece)
            self._left -= piece.nbytes
            view = view[piece.nbytes :]

    def digest(self) -> bytes:
        """Gives the digest of the digests of the parts so far."""
        whole = self._new()
        whole.update(self._done + self._digest.digest())
        return whole.digest()
