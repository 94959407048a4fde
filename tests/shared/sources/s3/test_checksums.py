from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from shared.errors import ContentMismatch, SourceUnavailable
from shared.sources.digests import ALGORITHMS, Check, PartsDigest
from shared.sources.part_file import PartFile
from shared.sources.s3.checksums import best_check
from shared.sources.verifier import Verifier

BODY = bytes(range(256)) * 40
CRC = zlib.crc32(BODY).to_bytes(4, "big")
MD5 = hashlib.md5(BODY, usedforsecurity=False).hexdigest()


def b64(value: bytes) -> str:
    return base64.b64encode(value).decode()


# The check values of the CRC catalogue (reveng, "Catalogue of parametrised CRC algorithms").
@pytest.mark.parametrize(
    ("name", "expected"),
    [("crc32", "cbf43926"), ("crc32c", "e3069283"), ("crc64nvme", "ae8b14860a799888")],
)
def test_each_crc_gives_its_published_check_value(name: str, expected: str) -> None:
    digest = ALGORITHMS[name]()
    digest.update(b"1234")
    digest.update(b"56789")
    assert digest.digest().hex() == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"etag": f'"{MD5}"'}, Check("md5", MD5)),
        ({"etag": f'"{MD5}-3"'}, Check("md5", MD5, 3)),
        ({"etag": '"65f2-1f4"'}, None),
        ({"etag": f'W/"{MD5}"'}, None),
        ({"etag": f'"{MD5}"', "x-amz-server-side-encryption": "AES256"}, Check("md5", MD5)),
        ({"etag": f'"{MD5}"', "x-amz-server-side-encryption": "aws:kms"}, None),
        ({"etag": f'"{MD5}"', "x-amz-server-side-encryption": "aws:kms:dsse"}, None),
        (
            {"etag": f'"{MD5}"', "x-amz-server-side-encryption-customer-algorithm": "AES256"},
            None,
        ),
        ({"etag": f'"{MD5}"', "x-amz-checksum-crc32": b64(CRC)}, Check("crc32", CRC.hex())),
        ({"x-amz-checksum-crc32": b64(CRC) + "-7"}, Check("crc32", CRC.hex(), 7)),
        ({"x-amz-checksum-crc32": b64(CRC) + "-7", "etag": f'"{MD5}"'}, Check("md5", MD5)),
        ({"x-amz-checksum-crc32": b64(CRC), "x-amz-checksum-type": "COMPOSITE"}, None),
        ({"x-amz-checksum-crc32": "not base64!"}, None),
        ({"x-amz-checksum-crc32": b64(b"too long for it")}, None),
        ({"x-amz-checksum-crc32": "A"}, None),
        ({"x-amz-checksum-sha512": b64(CRC)}, None),
        (
            {"x-amz-checksum-crc32": b64(CRC), "x-amz-checksum-sha256": b64(b"s" * 32)},
            Check("sha256", (b"s" * 32).hex()),
        ),
    ],
)
def test_the_best_check_of_the_headers_is_chosen(
    headers: dict[str, str], expected: Check | None
) -> None:
    assert best_check(headers) == expected


def composite(sizes: Sequence[int], body: bytes = BODY) -> str:
    digests, position = b"", 0
    for size in sizes:
        piece = body[position : position + size]
        digests += hashlib.md5(piece, usedforsecurity=False).digest()
        position += size
    return hashlib.md5(digests, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("step", [1, 7, 1000, 99_999])
def test_a_digest_of_parts_is_the_same_however_the_bytes_come(step: int) -> None:
    digest = PartsDigest("md5", [3000])
    for start in range(0, len(BODY), step):
        digest.update(BODY[start : start + step])
    assert digest.digest().hex() == composite([3000, 3000, 3000, 1240])


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
    with pytest.raises(ContentMismatch):
        verify(tmp_path, check, ask, changed)


def test_a_part_that_ends_early_is_refused(tmp_path: Path) -> None:
    part = PartFile.create(tmp_path / "1.1.part")
    part.write(0, b"short")
    with pytest.raises(ContentMismatch):
        Verifier(10, None, refuse).update_from(part, 10, memoryview(bytearray(4)))
    part.close(keep=False)
