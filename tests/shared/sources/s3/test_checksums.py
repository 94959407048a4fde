from __future__ import annotations

import base64
import hashlib
import zlib

import pytest

from shared.sources.digests import Check
from shared.sources.s3.checksums import best_check

BODY = bytes(range(256)) * 40
CRC = zlib.crc32(BODY).to_bytes(4, "big")
MD5 = hashlib.md5(BODY, usedforsecurity=False).hexdigest()

ETAG = Check("md5", MD5, decisive=False)


def b64(value: bytes) -> str:
    return base64.b64encode(value).decode()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"etag": f'"{MD5}"'}, ETAG),
        ({"etag": f'"{MD5.upper()}"'}, ETAG),
        ({"etag": MD5}, ETAG),
        ({"etag": MD5.upper()}, ETAG),
        ({"etag": f'W/"{MD5.upper()}"'}, ETAG),
        ({"etag": f'"{MD5}-3"'}, Check("md5", MD5, 3, decisive=False)),
        ({"etag": f"{MD5.upper()}-3"}, Check("md5", MD5, 3, decisive=False)),
        ({"etag": f'"{MD5}-1"'}, Check("md5", MD5, 1, decisive=False)),
        ({"etag": f'"{MD5}'}, None),
        ({"etag": '""'}, None),
        ({"etag": '"65f2-1f4"'}, None),
        ({"etag": f'W/"{MD5}"'}, ETAG),
        ({"etag": f'"{MD5}"', "x-amz-server-side-encryption": "AES256"}, ETAG),
        ({"etag": f'"{MD5}"', "x-amz-server-side-encryption": "aws:kms"}, None),
        ({"etag": f'"{MD5}"', "x-amz-server-side-encryption": "aws:kms:dsse"}, None),
        (
            {"etag": f'"{MD5}"', "x-amz-server-side-encryption-customer-algorithm": "AES256"},
            None,
        ),
        ({"etag": f'"{MD5}"', "x-amz-checksum-crc32": b64(CRC)}, Check("crc32", CRC.hex())),
        ({"x-amz-checksum-crc32": b64(CRC) + "-7"}, Check("crc32", CRC.hex(), 7)),
        ({"x-amz-checksum-crc32": b64(CRC) + "-7", "etag": f'"{MD5}"'}, ETAG),
        (
            {"x-amz-checksum-crc32": b64(CRC) + "-7", "etag": f'"{MD5}-7"'},
            Check("crc32", CRC.hex(), 7),
        ),
        ({"x-goog-hash": f"crc32c={b64(CRC)}", "etag": f'"{MD5}"'}, Check("crc32c", CRC.hex())),
        ({"x-goog-hash": f"md5={b64(bytes.fromhex(MD5))}"}, Check("md5", MD5)),
        ({"x-goog-hash": "crc32c=AAA"}, None),
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
