"""What is written down of an object's version, and moto's object made of it again."""

from __future__ import annotations

import base64
from datetime import datetime
from pathlib import Path
from typing import Any

from moto.s3.models import (
    FakeAcl,
    FakeBucket,
    FakeDeleteMarker,
    FakeGrant,
    FakeGrantee,
    FakeKey,
    FakeMultipart,
    S3Backend,
)

from local.servers.moto_s3.content import StoredContent

PLAIN = (
    "_etag",
    "_version_id",
    "_is_versioned",
    "_storage_class",
    "checksum_algorithm",
    "checksum_value",
    "checksum_type",
    "checksum_parts",
    "website_redirect_location",
    "encryption",
    "kms_key_id",
    "bucket_key_enabled",
    "lock_mode",
    "lock_legal_status",
    "lock_until",
)
"""Attributes of a `FakeKey` that are text, a number, a truth value or None."""

PLAIN_OF_A_PART = ("_etag", "checksum_algorithm", "checksum_value")

Record = dict[str, Any]


class Damaged(Exception):
    """A record that does not fit its content."""


def describe(backend: S3Backend, version: FakeKey | FakeDeleteMarker) -> Record:
    """Return a version as JSON can hold it.

    Args:
        backend: moto's S3, which keeps the tags.
        version: an object whose content is a `StoredContent`, or a delete marker.
    """
    record = {"last_modified": version.last_modified.isoformat()}
    if isinstance(version, FakeDeleteMarker):
        return {**record, "marker": version.version_id}
    content: Any = version._value_buffer
    return {
        **record,
        **{name: _json(getattr(version, name)) for name in PLAIN},
        "content": content.path.name,
        "size": content.size,
        "metadata": dict(version.metadata),
        "acl": describe_acl(version.acl),
        "tags": backend.tagger.get_tag_dict_for_resource(version.arn),
        "upload": _describe_upload(version),
    }


def restore(
    backend: S3Backend, bucket: FakeBucket, name: str, record: Record, contents: Path
) -> FakeKey:
    """Return the object that was described, its content in a file.

    Raises:
        Damaged: its content is missing or incomplete.
        KeyError: the record is incomplete.
    """
    path = contents / record["content"]
    size = record["size"]
    if not path.is_file() or path.stat().st_size != size:
        raise Damaged(f"the content of {name} is incomplete")
    key = _key(bucket, name)
    _fill(key, record, PLAIN, StoredContent(path, size))
    key.last_modified = datetime.fromisoformat(record["last_modified"])
    key.set_metadata(dict(record["metadata"]), replace=False)
    key.acl = restore_acl(record["acl"])
    if record["upload"]:
        key.multipart = _restore_upload(bucket, name, record["upload"], path)
    if record["tags"]:
        tags = [{"Key": tag, "Value": value} for tag, value in record["tags"].items()]
        backend.tagger.tag_resource(key.arn, tags)
    return key


def restore_marker(record: Record, before: FakeKey | FakeDeleteMarker) -> FakeDeleteMarker:
    """Return the delete marker that was described, which hides the version before it."""
    marker = FakeDeleteMarker(before)  # type: ignore[arg-type] # moto itself gives it either
    marker.last_modified = datetime.fromisoformat(record["last_modified"])
    marker._version_id = record["marker"]
    return marker


def split(key: FakeKey, path: Path) -> None:
    """Let the parts of a multipart upload read the object's file instead of memory.

    Where their sizes do not add up to the object, as in a copy, the object has no parts.
    """
    upload = key.multipart
    if upload is None:
        return
    parts = [upload.parts[number] for number in upload.partlist]
    if sum(part.size for part in parts) != key.size or not (key._etag or "").endswith(
        f"-{len(parts)}"
    ):
        key.multipart = None
        return
    offset = 0
    for part in parts:
        part._value_buffer = StoredContent(path, part.size, offset)  # type: ignore[assignment]
        part.disposed = False
        offset += part.size


def describe_acl(acl: FakeAcl | None) -> list[Record]:
    """Return an access control list as JSON can hold it."""
    return [
        {
            "grantees": [[g.id, g.uri, g.display_name] for g in grant.grantees],
            "permissions": list(grant.permissions),
        }
        for grant in (acl.grants if acl else ())
    ]


def restore_acl(record: list[Record]) -> FakeAcl:
    """Return the access control list that was described."""
    return FakeAcl(
        [
            FakeGrant([FakeGrantee(*names) for names in grant["grantees"]], grant["permissions"])
            for grant in record
        ]
    )


def _json(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _key(bucket: FakeBucket, name: Any) -> FakeKey:
    return FakeKey(
        name=name,
        value=b"",
        account_id=bucket.account_id,
        region_name=bucket.region_name,
        bucket_name=bucket.name,
    )


def _fill(key: FakeKey, record: Record, names: tuple[str, ...], content: StoredContent) -> None:
    for name in names:
        setattr(key, name, record[name])
    key._value_buffer.close()
    key._value_buffer = content  # type: ignore[assignment]
    key.contentsize = content.size


def _describe_upload(key: FakeKey) -> Record | None:
    upload = key.multipart
    if upload is None:
        return None
    return {
        "id": upload.id,
        "parts": [
            {
                "number": number,
                "size": upload.parts[number].size,
                **{name: _json(getattr(upload.parts[number], name)) for name in PLAIN_OF_A_PART},
            }
            for number in upload.partlist
        ],
    }


def _restore_upload(bucket: FakeBucket, name: str, record: Record, path: Path) -> FakeMultipart:
    upload = FakeMultipart(name, {}, bucket.account_id, bucket.region_name)  # type: ignore[arg-type] # no further use
    upload.id = record["id"]
    offset = 0
    for described in record["parts"]:
        part = _key(bucket, described["number"])
        _fill(part, described, PLAIN_OF_A_PART, StoredContent(path, described["size"], offset))
        upload.parts[described["number"]] = part
        upload.partlist.append(described["number"])
        offset += described["size"]
    return upload
