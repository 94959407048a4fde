"""Digest algorithms, and what the digest of an object must be: reusable by any source.

A digest is either of the whole content, or composite: the digest of the digests of N parts, which
needs the sizes of the parts (AWS S3 user guide, "Checking object integrity"). This is the only
module that imports awscrt.
"""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class Digest(Protocol):
    """A digest in progress, as `hashlib` has them."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Add the next bytes."""
        ...

    def digest(self) -> bytes:
        """Return the digest of all bytes so far."""
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
    from awscrt.checksums import crc32c  # noqa: PLC0415 - only few objects need it

    return _Crc(crc32c, 4)


def _crc64nvme() -> Digest:
    from awscrt.checksums import crc64nvme  # noqa: PLC0415 - only few objects need it

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

_TITLES = {"sha256": "SHA-256", "sha1": "SHA-1", "md5": "MD5"}
"""Names as people write them; the CRCs are shown as S3 writes them."""


@dataclass(frozen=True, slots=True)
class Check:
    """The digest that an object's bytes must have.

    Attributes:
        algorithm: a name of `ALGORITHMS`.
        value: the digest, in hex.
        parts: how many parts a composite digest covers; 0 for a digest of the whole content.
        decisive: whether bytes with another digest are wrong. False for an ETag, which looks like
            an MD5 and may be something else: that it agrees proves the bytes, that it differs
            proves nothing.
    """

    algorithm: str
    value: str
    parts: int = 0
    decisive: bool = True

    @property
    def name(self) -> str:
        """The name for the log, such as `md5` or `md5 of 12 parts`."""
        return self._of_parts(self.algorithm)

    @property
    def title(self) -> str:
        """The name for people, such as `MD5` or `MD5 of 12 parts`."""
        return self._of_parts(_TITLES.get(self.algorithm, self.algorithm))

    def _of_parts(self, name: str) -> str:
        return f"{name} of {self.parts} parts" if self.parts else name


class PartsDigest:
    """A composite digest in progress.

    Args:
        algorithm: a name of `ALGORITHMS`.
        sizes: bytes of each part; the last one counts for all that follow.
    """

    def __init__(self, algorithm: str, sizes: Sequence[int]) -> None:
        self._new = ALGORITHMS[algorithm]
        self._sizes = list(sizes)
        self._part = 0
        self._digest = self._new()
        self._missing = self._sizes[0]
        self._done = b""

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Add the next bytes."""
        view = memoryview(data)
        while view.nbytes:
            if not self._missing:
                self._done += self._digest.digest()
                self._digest = self._new()
                self._part = min(self._part + 1, len(self._sizes) - 1)
                self._missing = self._sizes[self._part]
            piece = view[: self._missing]
            self._digest.update(piece)
            self._missing -= piece.nbytes
            view = view[piece.nbytes :]

    def digest(self) -> bytes:
        """Return the digest of the digests of the parts so far."""
        whole = self._new()
        whole.update(self._done + self._digest.digest())
        return whole.digest()
