from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from shared.errors import ContentMismatch, SourceUnavailable
from shared.sources.digests import Check
from shared.sources.part_file import PartFile
from shared.sources.verifier import Verifier

BODY = bytes(range(256)) * 40
MD5 = hashlib.md5(BODY, usedforsecurity=False).hexdigest()


def composite(sizes: Sequence[int], body: bytes = BODY) -> str:
    digests, position = b"", 0
    for size in sizes:
        piece = body[position : position + size]
        digests += hashlib.md5(piece, usedforsecurity=False).digest()
        position += size
    return hashlib.md5(digests, usedforsecurity=False).hexdigest()


def asking(sizes: Sequence[int]) -> Callable[[int], tuple[int, int]]:
    return lambda number: (sizes[number - 1], len(sizes))


def refuse(_: int) -> tuple[int, int]:
    raise SourceUnavailable


UNIFORM = [3000, 3000, 3000, 1240]
UNEVEN = [3000, 2500, 2500, 2240]
FEWER = [6000, 4240]


def verify(
    folder: Path, check: Check | None, ask: Callable[[int], tuple[int, int]], body: bytes = BODY
) -> str:
    part = PartFile.create(folder / "1.1.part")
    part.write(0, body)
    verifier = Verifier(len(body), check, ask)
    buffer = memoryview(bytearray(1024))
    try:
        verifier.update_from(part, len(body), buffer)
        return verifier.finish(part, buffer)
    finally:
        part.close(keep=False)


@pytest.mark.parametrize(
    ("check", "ask", "expected"),
    [
        (None, refuse, "size"),
        (Check("md5", MD5), refuse, "md5"),
        (Check("sha256", hashlib.sha256(BODY).hexdigest()), refuse, "sha256"),
        (Check("md5", composite([len(BODY)]), 1), refuse, "md5 of 1 parts"),
        (Check("md5", composite(UNIFORM), 4), asking(UNIFORM), "md5 of 4 parts"),
        (Check("md5", composite(UNEVEN), 4), asking(UNEVEN), "md5 of 4 parts"),
        (Check("md5", composite([100, *UNIFORM]), 5), asking([100, *UNIFORM]), "md5 of 5 parts"),
        (Check("md5", composite(UNIFORM), 4), refuse, "size"),
        (Check("md5", composite(UNIFORM), 4), asking(FEWER), "size"),
    ],
)
def test_content_is_verified_by_what_the_store_offers(
    check: Check | None, ask: Callable[[int], tuple[int, int]], expected: str, tmp_path: Path
) -> None:
    assert verify(tmp_path, check, ask) == expected


@pytest.mark.parametrize(
    ("check", "ask"),
    [
        (Check("md5", MD5), refuse),
        (Check("sha256", hashlib.sha256(BODY).hexdigest()), refuse),
        (Check("md5", composite([len(BODY)]), 1), refuse),
        (Check("md5", composite(UNIFORM), 4), asking(UNIFORM)),
        (Check("md5", composite(UNEVEN), 4), asking(UNEVEN)),
    ],
)
def test_other_content_is_refused(
    check: Check, ask: Callable[[int], tuple[int, int]], tmp_path: Path
) -> None:
    changed = BODY[:5000] + b"!" + BODY[5001:]
    with pytest.raises(ContentMismatch, match=f"its {check.title} does not match"):
        verify(tmp_path, check, ask, changed)


def test_a_part_that_ends_early_is_refused(tmp_path: Path) -> None:
    part = PartFile.create(tmp_path / "1.1.part")
    part.write(0, b"short")
    with pytest.raises(ContentMismatch):
        Verifier(10, None, refuse).update_from(part, 10, memoryview(bytearray(4)))
    part.close(keep=False)
