"""The notifications of SeaweedFS's filer: changes of entries in a tree of folders. Pure.

A bucket is a folder of `/buckets`, and a key is a path in it, as it is. The parts of an upload are
entries too, in `.uploads`. The versions of an object are in a folder `NAME.versions`, whose own
entry names the latest; when that entry changes, the object has changed. (Tried with version 4.48.)
"""

from __future__ import annotations

import base64
from typing import Any

from functions.s3_events import fields
from functions.s3_events.fields import Unexpected
from functions.s3_events.happenings import Created, Happening, Passed

BUCKETS = "/buckets/"
UPLOADS = ".uploads"
VERSIONS = ".versions"
ETAG = "Seaweed-X-Amz-ETag"
VERSION = "Seaweed-X-Amz-Version-Id"
LATEST = "Seaweed-X-Amz-Latest-Version"


def read(document: Any) -> Happening:
    """Read one notification.

    Its `event_type` is not looked at: a new entry is there, or it is not.

    Raises:
        Unexpected: a field is not what it should be.
    """
    message = document["message"]
    entry = fields.get(message, "new_entry")
    if entry is None:
        return Passed("delete")
    folder = fields.text(message, "new_parent_path")
    path = f"{folder.rstrip('/')}/{fields.text(entry, 'name')}"
    bucket, _, key = path.removeprefix(BUCKETS).partition("/")
    if not path.startswith(BUCKETS) or not key:
        return Passed("entry outside of buckets")
    if key.partition("/")[0] == UPLOADS:
        return Passed("part of an upload")
    if fields.get(entry, "is_directory"):
        return _versions(bucket, key, entry)
    if _extended(entry, VERSION):
        return Passed("version of an object")
    attributes = fields.get(entry, "attributes")
    return Created(
        bucket=bucket,
        key=key,
        etag=(_extended(entry, ETAG) or "").strip('"') or _md5(attributes),
        time=str(fields.size(attributes, "mtime") or 0),
        size=fields.size(attributes, "file_size") or 0,
    )


def _versions(bucket: str, key: str, entry: Any) -> Happening:
    """Read the entry of a folder, which may be that of an object's versions."""
    etag, version_id = _extended(entry, f"{LATEST}-ETag"), _extended(entry, f"{LATEST}-Id")
    if not key.endswith(VERSIONS) or not (etag and version_id):
        return Passed("folder")
    return Created(
        bucket=bucket,
        key=key.removesuffix(VERSIONS),
        etag=etag.strip('"'),
        version_id=version_id,
        size=fields.size({"size": _extended(entry, f"{LATEST}-Size")}, "size"),
    )


def _extended(entry: Any, name: str) -> str | None:
    found = fields.maybe_text(entry, "extended", name)
    if found is None:
        return None
    try:
        return base64.b64decode(found, validate=True).decode()
    except ValueError as error:
        raise Unexpected(f"extended.{name}: expected base64 of a text") from error


def _md5(attributes: Any) -> str | None:
    """Return the ETag of an entry that came past S3: its MD5, None where it has none."""
    found = fields.maybe_text(attributes, "md5")
    try:
        return base64.b64decode(found, validate=True).hex() if found else None
    except ValueError as error:
        raise Unexpected("attributes.md5: expected base64") from error
