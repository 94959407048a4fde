"""The client's bucket, as a local run makes it: filled with the sample pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from local.servers.sample_pictures import Picture, pictures
from shared.aws.s3 import s3_client
from shared.config.settings import Settings, needed
from shared.errors import SettingError


class S3Client(Protocol):
    """The part of boto3's S3 client that is used here."""

    @property
    def exceptions(self) -> Any:
        """The error classes of the service."""
        ...

    def create_bucket(self, **arguments: Any) -> dict[str, Any]:
        """Make a bucket."""
        ...

    def list_objects_v2(self, **arguments: Any) -> dict[str, Any]:
        """Return up to 1,000 objects' names."""
        ...

    def put_object(self, **arguments: Any) -> dict[str, Any]:
        """Store an object."""
        ...


def fill(client: S3Client, bucket: str, region: str | None, pictures: Iterable[Picture]) -> int:
    """Make the bucket where it is missing and put the pictures that are not in it.

    Args:
        client: the S3 to fill.
        bucket: its name.
        region: where to make it; S3 takes no location constraint for us-east-1, its default.
        pictures: what to put.

    Returns:
        How many pictures were put.

    Raises:
        SettingError: no bucket can have that name or be in that region.
    """
    elsewhere = region not in {None, "us-east-1"}
    place = {"CreateBucketConfiguration": {"LocationConstraint": region}} if elsewhere else {}
    try:
        client.create_bucket(Bucket=bucket, **place)
    except client.exceptions.BucketAlreadyOwnedByYou:
        pass
    except client.exceptions.ClientError as error:
        code = error.response["Error"]["Code"]
        raise SettingError(f"AWS_S3_BUCKET_NAME: the bucket cannot be made ({code})") from error
    held = set(_names(client, bucket))
    missing = [picture for picture in pictures if picture.name not in held]
    for picture in missing:
        client.put_object(
            Bucket=bucket,
            Key=picture.name,
            Body=picture.content,
            ContentType=picture.media_type,
        )
    return len(missing)


def _names(client: S3Client, bucket: str) -> Iterator[str]:
    """Yield the key of every object, however many there are."""
    after: dict[str, str] = {}
    while True:
        page = client.list_objects_v2(Bucket=bucket, **after)
        yield from (item["Key"] for item in page.get("Contents", ()))
        if not page.get("IsTruncated"):
            return
        after = {"ContinuationToken": page["NextContinuationToken"]}


def fill_with_samples(settings: Settings) -> int:
    """Fill the bucket of the settings with the sample pictures.

    Returns:
        How many were put.

    Raises:
        SettingError: no bucket is named, or none can be made of that name.
        SourceUnavailable: endpoint or credentials cannot be determined.
    """
    bucket = needed(settings.bucket, "AWS_S3_BUCKET_NAME")
    return fill(s3_client(settings), bucket, settings.s3_region, pictures())
