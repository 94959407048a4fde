from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from PIL import Image

from local.servers.bucket import fill
from local.servers.sample_pictures import Picture, pictures

MEGABYTE = 1_000_000


@pytest.fixture
def client(s3_endpoint: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    client = boto3.client(
        "s3",
        endpoint_url=s3_endpoint,
        region_name=getattr(request, "param", None) or "us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    yield client
    client.close()


@pytest.fixture
def bucket() -> str:
    return f"uploads-{uuid.uuid4().hex}"


@pytest.fixture(scope="module")
def drawn() -> dict[str, bytes]:
    return {picture.name: picture.content for picture in pictures()}


def test_there_are_a_few_dozen_pictures_of_different_sizes(drawn: dict[str, bytes]) -> None:
    assert 24 <= len(drawn) <= 60
    assert len({len(content) for content in drawn.values()}) > 20
    assert max(len(content) for content in drawn.values()) > 2 * MEGABYTE


def test_their_names_hold_what_clients_use(drawn: dict[str, bytes]) -> None:
    assert any(" " in name for name in drawn)
    assert any("/" in name for name in drawn)
    assert any(not name.isascii() for name in drawn)


def test_each_is_the_picture_that_its_media_type_says() -> None:
    for picture in pictures():
        with Image.open(io.BytesIO(picture.content)) as image:
            assert Image.MIME[image.format or ""] == picture.media_type
            assert image.size == picture.size
            image.load()


def test_they_are_the_same_every_time(drawn: dict[str, bytes]) -> None:
    assert {picture.name: picture.content for picture in pictures()} == drawn


def content(client: Any, bucket: str) -> dict[str, bytes]:
    keys = [item["Key"] for item in client.list_objects_v2(Bucket=bucket)["Contents"]]
    return {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


SOME = [Picture("a.png", (2, 2), 0, 1), Picture("é c.jpg", (2, 2), 0, 2)]


@pytest.mark.parametrize(
    ("client", "region", "place"),
    [
        (None, None, None),
        ("us-east-1", "us-east-1", None),
        ("eu-west-1", "eu-west-1", "eu-west-1"),
    ],
    indirect=["client"],
)
def test_the_bucket_is_made_and_filled_once(
    client: Any, bucket: str, region: str | None, place: str | None
) -> None:
    assert fill(client, bucket, region, SOME) == len(SOME)
    assert content(client, bucket) == {picture.name: picture.content for picture in SOME}
    assert client.get_bucket_location(Bucket=bucket)["LocationConstraint"] == place
    assert fill(client, bucket, region, SOME) == 0


def test_what_is_missing_is_put_again(client: Any, bucket: str) -> None:
    fill(client, bucket, None, SOME)
    client.delete_object(Bucket=bucket, Key=SOME[0].name)
    assert fill(client, bucket, None, SOME) == 1
    assert set(content(client, bucket)) == {picture.name for picture in SOME}
