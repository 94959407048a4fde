"""The client's bucket, as a local run makes it: filled with the sample pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local.servers.samples import Picture


class S3Client(Protocol):
    """The part of boto3's S3 client that is used here."""

    def list_buckets(self) -> dict[str, Any]:
        """Names the buckets."""
        ...

    def create_bucket(self, **arguments: Any) -> dict[str, Any]:
        """Makes a bucket."""
        ...

    def list_objects_v2(self, **arguments: Any) -> dict[str, Any]:
        """Names up to 1,000 objects."""
        ...

    def put_object(self, **arguments: Any) -> dict[str, Any]:
        """Stores an object."""
        ...


def fill(client: S3Client, bucket: str, region: str | None, pictures: Iterable[Picture]) -> int:
    """Makes the bucket where it is missing and puts the pictures that are not in it.

    Args:
        client: the S3 to fill.
        bucket: its name.
        region: where to make it; S3 takes no location constraint for us-east-1, its default.
        pictures: what to put.

    Returns:
        How many pictures were put.
    """
    if bucket not in {found["Name"] for found in client.list_buckets()["Buckets"]}:
        elsewhere = region not in {None, "us-east-1"}
        place = {"CreateBucketConfiguration": {"LocationConstraint": region}} if elsewhere else {}
        client.create_bucket(Bucket=bucket, **place)
    held = {item["Key"] for item in client.list_objects_v2(Bucket=bucket).get("Contents", ())}
    missing = [picture for picture in pictures if picture.name not in held]
    for picture in missing:
        client.put_object(
            Bucket=bucket,
            Key=picture.name,
            Body=picture.content,
            ContentType=picture.media_type,
        )
    return len(missing)
