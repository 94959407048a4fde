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
from shared.sources.s3.location import Location
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


def location(**settings: str) -> Location:
    return Location(Settings.from_mapping({"AWS_S3_BUCKET_NAME": "bucket", **settings}))


KEYS_GIVEN = {"AWS_S3_ACCESS_KEY_ID": "given", "AWS_S3_SECRET_ACCESS_KEY": "hushhush"}


@pytest.mark.parametrize("given", KEYS_GIVEN)
def test_one_key_without_the_other_is_a_wrong_setting(given: str) -> None:
    (missing,) = KEYS_GIVEN.keys() - {given}
    with pytest.raises(errors.SettingError, match=f"{missing} is not set"):
        location(**{given: "alone"})


@pytest.fixture
def no_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A machine without AWS settings of its own."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    return monkeypatch


@pytest.mark.usefixtures("no_aws")
def test_aws_itself_is_reached_as_boto3_reaches_it() -> None:
    signed = location(**KEYS_GIVEN, AWS_S3_REGION_NAME="eu-west-1").signed_url("a b")
    assert signed.url == "https://bucket.s3.eu-west-1.amazonaws.com/a%20b"
    assert (signed.region, signed.credentials.access_key) == ("eu-west-1", "given")


@pytest.mark.usefixtures("no_aws")
def test_a_bucket_whose_name_is_no_host_name_is_reached_by_path() -> None:
    signed = location(
        **KEYS_GIVEN, AWS_S3_REGION_NAME="eu-west-1", AWS_S3_BUCKET_NAME="a.b"
    ).signed_url("k")
    assert signed.url == "https://s3.eu-west-1.amazonaws.com/a.b/k"


@pytest.mark.usefixtures("no_aws")
def test_another_server_is_reached_by_path() -> None:
    signed = location(**KEYS_GIVEN, AWS_ENDPOINT_URL_S3="http://s3.example:9000").signed_url("k")
    assert signed.url == "http://s3.example:9000/bucket/k"


@pytest.mark.usefixtures("no_aws")
def test_localstack_is_reached_by_its_own_session_unless_an_endpoint_is_given() -> None:
    signed = location(LOCALSTACK_HOST="stack:4566").signed_url("k")
    assert signed.url == "http://stack:4566/bucket/k"
    other = location(
        LOCALSTACK_HOST="stack:4566", AWS_ENDPOINT_URL_S3="http://s3.example", **KEYS_GIVEN
    )
    assert other.signed_url("k").url == "http://s3.example/bucket/k"


def test_boto3s_own_chain_is_used_with_its_token_when_no_keys_are_given(
    no_aws: pytest.MonkeyPatch,
) -> None:
    no_aws.setenv("AWS_ACCESS_KEY_ID", "chained")
    no_aws.setenv("AWS_SECRET_ACCESS_KEY", "hushhush")
    no_aws.setenv("AWS_SESSION_TOKEN", "token")
    signed = location(AWS_ENDPOINT_URL_S3="http://s3.example").signed_url("k")
    credentials = signed.credentials
    assert (credentials.access_key, credentials.token) == ("chained", "token")
    assert "hushhush" not in repr(signed)
    assert "token" not in repr(signed)


@pytest.mark.usefixtures("no_aws")
def test_a_machine_without_credentials_is_told_so() -> None:
    with pytest.raises(errors.SourceUnavailable, match="AWS_S3_ACCESS_KEY_ID"):
        location().signed_url("k")
