from __future__ import annotations

import hashlib

import pytest

from shared.sources.digests import ALGORITHMS, Check, PartsDigest

BODY = bytes(range(256)) * 40


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


@pytest.mark.parametrize("step", [1, 7, 1000, 99_999])
def test_a_composite_digest_is_the_same_however_the_bytes_come(step: int) -> None:
    pieces = [BODY[start : start + 3000] for start in range(0, len(BODY), 3000)]
    of_pieces = b"".join(hashlib.md5(p, usedforsecurity=False).digest() for p in pieces)
    digest = PartsDigest("md5", [3000])
    for start in range(0, len(BODY), step):
        digest.update(BODY[start : start + step])
    assert digest.digest() == hashlib.md5(of_pieces, usedforsecurity=False).digest()


@pytest.mark.parametrize(
    ("check", "name", "title"),
    [
        (Check("md5", ""), "md5", "MD5"),
        (Check("sha256", "", 12), "sha256 of 12 parts", "SHA-256 of 12 parts"),
        (Check("crc64nvme", ""), "crc64nvme", "crc64nvme"),
    ],
)
def test_a_check_has_a_name_for_the_log_and_one_for_people(
    check: Check, name: str, title: str
) -> None:
    assert (check.name, check.title) == (name, title)
