"""The verdict on an object's bytes: SHA-256 always, and the check that the store offers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from shared.errors import ContentMismatch, SourceUnavailable
from shared.sources.digests import ALGORITHMS, Check, Digest, PartsDigest
from shared.sources.part_file import PartFile

BUFFER_BYTES = 512 * 1024
"""hashlib and preadv release the interpreter lock for each buffer."""


BY_SIZE = "size"
"""What content is verified by where the store promises no digest."""


class Verifier:
    """Digest the bytes of one object in order, and compare the result with what is promised.

    Args:
        size: of the object in bytes.
        check: the digest that the store promises, None where it promises none.
        part_size: returns the size of a numbered part and the number of parts; it may block,
            and is called only for composite checks. It raises `SourceUnavailable` where the store
            does not know; then the size alone is verified here, see `DigestedPart`.
    """

    def __init__(
        self, size: int, check: Check | None, part_size: Callable[[int], tuple[int, int]]
    ) -> None:
        self.size = size
        self.position = 0
        self._check = check
        self._part_size = part_size
        self._sha256 = hashlib.sha256()
        self._uniform = True
        self._digest: Digest | None = self._begin(check)

    @property
    def inline(self) -> bool:
        """Whether bytes may be digested as they arrive, because no part size must be asked for."""
        return self._check is None or self._check.parts <= 1

    def update(self, data: bytes | memoryview) -> None:
        """Digest the next bytes."""
        if self._digest is None and self._check is not None and not self.inline:
            self._digest = self._begin_composite(self._check)
        self._sha256.update(data)
        if self._digest is not None and self._digest is not self._sha256:
            self._digest.update(data)
        self.position += len(data)

    def sha256(self) -> bytes:
        """Return the SHA-256 of the bytes so far."""
        return self._sha256.digest()

    def update_from(self, part: PartFile, limit: int, buffer: memoryview) -> None:
        """Digest the bytes of the file up to `limit`.

        Raises:
            OSError: the file cannot be read.
            ContentMismatch: the file ends before.
        """
        while self.position < limit:
            room = buffer[: min(len(buffer), limit - self.position)]
            count = part.read(self.position, room)
            if not count:
                raise ContentMismatch(f"the part ends after {self.position} bytes")
            self.update(room[:count])

    def finish(self, part: PartFile, buffer: memoryview) -> str:
        """Return the name of what the complete content was verified by.

        Args:
            part: the file, which is read again where the parts of a composite check turn out to
                be of several sizes.
            buffer: to read with.

        Raises:
            ContentMismatch: the content is not the object's.
        """
        check = self._check
        if check is None or self._digest is None:
            return BY_SIZE
        if self._digest.digest().hex() == check.value:
            return check.name
        if check.parts > 1 and self._uniform:
            self._read_again(part, check, buffer)
            return check.name
        raise _mismatch(check)

    def _begin(self, check: Check | None) -> Digest | None:
        if check is None or check.parts > 1:
            return None
        if check.parts:
            return PartsDigest(check.algorithm, [max(self.size, 1)])
        return self._sha256 if check.algorithm == "sha256" else ALGORITHMS[check.algorithm]()

    def _begin_composite(self, check: Check) -> Digest | None:
        """Begin with parts of one size, as every uploader makes them, if that is possible."""
        try:
            first, count = self._part_size(1)
            if count == check.parts and first >= 1:
                if first * (count - 1) < self.size <= first * count:
                    return PartsDigest(check.algorithm, [first])
                self._uniform = False
                return PartsDigest(check.algorithm, self._all_sizes(check))
        except SourceUnavailable:
            pass
        self._check = None
        return None

    def _all_sizes(self, check: Check) -> list[int]:
        return [self._part_size(number)[0] for number in range(1, check.parts + 1)]

    def _read_again(self, part: PartFile, check: Check, buffer: memoryview) -> None:
        sizes = self._all_sizes(check)
        if len(set(sizes[:-1])) <= 1:
            raise _mismatch(check)
        again = PartsDigest(check.algorithm, sizes)
        position = 0
        while position < self.size:
            count = part.read(position, buffer)
            if not count:
                break
            again.update(buffer[:count])
            position += count
        if again.digest().hex() != check.value:
            raise _mismatch(check)


def _mismatch(check: Check) -> ContentMismatch:
    return ContentMismatch(f"its {check.title} does not match")
