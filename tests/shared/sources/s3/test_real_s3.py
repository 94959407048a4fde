"""The source against moto's S3: what signing, names, versions and parts are like there."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared import errors
from shared.aws.s3 import s3_client
from shared.config.settings import Settings
from shared.domain import Wanted
from tests.shared.sources.conftest import NewSource

SECONDS = 60
KEYS = ["a b+c%20d&e=f?g#h", "ü/日本語/🙂.jpg", "!*'();:@$,[]{}|^~`\"<>", "a%2Fb", "..."]


class Bucket:
    """A bucket of the test's own."""

    def __init__(self, endpoint: str) -> None:
        self.name = f"test-{uuid.uuid4().hex}"
        self.settings = {
            "AWS_S3_BUCKET_NAME": self.name,
            "AWS_S3_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_S3_SECRET_ACCESS_KEY": "hushhush",
            "AWS_S3_REGION_NAME": "us-east-1",
            "AWS_ENDPOINT_URL_S3": endpoint,
        }
        self.client: Any = s3_client(Settings.from_mapping(self.settings))
        self.client.create_bucket(Bucket=self.name)

    def put(self, key: str, body: bytes, **more: str) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=body, **more)

    def put_parts(self, key: str, parts: list[bytes]) -> None:
        names = {"Bucket": self.name, "Key": key}
        upload = self.client.create_multipart_upload(**names)["UploadId"]
        done = [
            {
                "PartNumber": number,
                "ETag": self.client.upload_part(
                    **names, UploadId=upload, PartNumber=number, Body=part
                )["ETag"],
            }
            for number, part in enumerate(parts, 1)
        ]
        self.client.complete_multipart_upload(
            **names, UploadId=upload, MultipartUpload={"Parts": done}
        )


@pytest.fixture
def bucket(s3_endpoint: str) -> Bucket:
    return Bucket(s3_endpoint)


@pytest.mark.parametrize("key", KEYS)
def test_an_odd_key_names_the_same_object_for_boto3_and_for_us(
    key: str,
    bucket: Bucket,
    incoming: Path,
    new_source: NewSource,
    wanted: Callable[..., Wanted],
) -> None:
    bucket.put(key, key.encode())
    source = new_source(settings=bucket.settings)
    fetched = source.fetch(wanted(key), incoming / "1.1.part").result(SECONDS)
    assert (incoming / "1.1.part").read_bytes() == key.encode()
    assert fetched.sha256 == hashlib.sha256(key.encode()).digest()


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_checksums_that_boto3_uploads_are_verified(
    algorithm: str,
    bucket: Bucket,
    incoming: Path,
    new_source: NewSource,
    wanted: Callable[..., Wanted],
) -> None:
    bucket.put("key", b"content", ChecksumAlgorithm=algorithm)
    source = new_source(settings=bucket.settings)
    fetched = source.fetch(wanted(), incoming / "1.1.part").result(SECONDS)
    assert fetched.verified_by == algorithm.lower()


MIB = 1024 * 1024


@pytest.mark.parametrize("sizes", [[5, 5, 2], [5, 6, 1], [1], [9, 9]])
def test_the_etag_of_a_multipart_upload_is_verified(
    sizes: list[int],
    bucket: Bucket,
    incoming: Path,
    new_source: NewSource,
    wanted: Callable[..., Wanted],
) -> None:
    parts = [bytes([n + 1]) * (size * MIB) for n, size in enumerate(sizes)]
    bucket.put_parts("key", parts)
    source = new_source(settings=bucket.settings)
    fetched = source.fetch(wanted(), incoming / "1.1.part").result(SECONDS)
    assert fetched.sha256 == hashlib.sha256(b"".join(parts)).digest()
    assert fetched.etag is not None
    assert fetched.etag.endswith(f"-{len(sizes)}")
    assert fetched.verified_by == f"md5 of {len(sizes)} parts"


def test_missing_objects_and_buckets_are_told_apart(
    bucket: Bucket, incoming: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> None:
    source = new_source(settings=bucket.settings)
    missing = source.fetch(wanted("no"), incoming / "1.1.part").exception(SECONDS)
    nowhere = new_source(settings={**bucket.settings, "AWS_S3_BUCKET_NAME": f"{bucket.name}-not"})
    gone = nowhere.fetch(wanted("no"), incoming / "2.1.part").exception(SECONDS)
    assert isinstance(missing, errors.ObjectNotVisible)
    assert isinstance(gone, errors.BucketMissing)
