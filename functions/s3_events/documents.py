"""Notifications as stores and services deliver them, read: JSON in, what happened out. Pure.

================================  ==================================================================
document                          from
================================  ==================================================================
``{"Records": [{"s3": …}]}``      S3 and most stores like it (S3 user guide, "Event message
                                  structure"); MinIO adds ``EventName`` and ``Key`` beside it
``{"detail-type": …}``            EventBridge (S3 user guide, "EventBridge event message structure")
``{"Type": "Notification", …}``   SNS: its ``Message`` is one of these as text
``{"Records": [{"Sns": …}]}``     SNS to a function: the same
``{"event_type": …, …}``          SeaweedFS, see `functions.s3_events.seaweedfs`
``{"Event": "s3:TestEvent", …}``  S3, when notifications are set up
``{}``                            a store that looks whether anything answers
``[…]``                           EventBridge Pipes: several of these
================================  ==================================================================
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote_plus

from functions.s3_events import fields, seaweedfs
from functions.s3_events.fields import Unexpected
from functions.s3_events.happenings import Created, Happening, Passed, Unreadable

CREATED = "ObjectCreated:"
PLAIN_KEYS = "ceph:"
"""Beginning of the `eventSource` of Ceph, which alone writes keys as they are (rgw_pubsub.cc)."""

NO_OBJECT = Unreadable("expected a JSON object")


def parse(body: bytes | str) -> Iterator[Happening]:
    """Read a notification as it was sent; an empty one tells of nothing."""
    if not body.strip():
        return
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        position = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        yield Unreadable(f"not JSON{position}")
        return
    yield from read(document)


def read(document: Any) -> Iterator[Happening]:
    """Read a notification."""
    # Never an array in an array: it may be as deep as it is long.
    for one in document if isinstance(document, list) else [document]:
        yield from _read(one) if isinstance(one, Mapping) else (NO_OBJECT,)


def _read(document: Mapping[str, Any]) -> Iterator[Happening]:
    match document:
        case {"Records": list(records)}:
            for number, record in enumerate(records, 1):
                yield from _record(record, f"record {number}: ")
        case {"detail-type": _}:
            yield _guarded(_event_bridge, document)
        case {"Type": "Notification", "Message": str(message)}:
            yield from parse(message)
        case {"Type": "SubscriptionConfirmation"}:
            yield Unreadable("an SNS subscription, which its owner confirms by its SubscribeURL")
        case {"Event": str(event), "Bucket": _}:
            yield Passed(event)
        case {"event_type": _, "message": _}:
            yield _guarded(seaweedfs.read, document)
        case _ if document:
            yield Unreadable("neither a notification of S3, EventBridge, SNS nor SeaweedFS")


def _record(record: Any, place: str) -> Iterator[Happening]:
    message = fields.get(record, "Sns", "Message")
    if isinstance(message, str):
        yield from parse(message)
        return
    yield _guarded(_s3, record, place)


def _s3(record: Any) -> Happening:
    # NooBaa's test event is a record.
    named = "Event" if fields.get(record, "eventName") is None else "eventName"
    name = fields.text(record, named).removeprefix("s3:")
    if not name.startswith(CREATED):
        return Passed(name)
    key = fields.text(record, "s3", "object", "key")
    if not str(fields.get(record, "eventSource")).startswith(PLAIN_KEYS):
        # As a form's field: "+" is a space. Bytes that are not UTF-8 make no valid name.
        key = unquote_plus(key, errors="surrogateescape")
    return _told(
        name,
        Created(
            bucket=fields.text(record, "s3", "bucket", "name"),
            key=key,
            etag=fields.etag(record, "s3", "object", "eTag"),
            version_id=fields.version_id(record, "s3", "object", "versionId"),
            sequencer=fields.maybe_text(record, "s3", "object", "sequencer"),
            time=fields.maybe_text(record, "eventTime"),
            size=fields.size(record, "s3", "object", "size"),
            request_id=fields.request_id(record, "responseElements", "x-amz-request-id"),
        ),
    )


def _event_bridge(event: Any) -> Happening:
    name = fields.text(event, "detail-type")
    if event.get("source") != "aws.s3" or name != "Object Created":
        return Passed(name)
    return _told(
        name,
        Created(
            bucket=fields.text(event, "detail", "bucket", "name"),
            key=fields.text(event, "detail", "object", "key"),
            etag=fields.etag(event, "detail", "object", "etag"),
            version_id=fields.version_id(event, "detail", "object", "version-id"),
            sequencer=fields.maybe_text(event, "detail", "object", "sequencer"),
            time=fields.maybe_text(event, "time"),
            size=fields.size(event, "detail", "object", "size"),
            request_id=fields.request_id(event, "detail", "request-id"),
        ),
    )


def _told(name: str, created: Created) -> Happening:
    """Return what is created, unless that is only begun or cannot be told from other versions."""
    if name == "ObjectCreated:Post" and not created.etag and not created.size:
        # Ceph tells of a multipart upload that begins as well; there is no object before its end.
        return Passed(name)
    if created.version is None:
        raise Unexpected("neither ETag, version id, sequencer nor time")
    return created


def _guarded(reader: Any, document: Any, place: str = "") -> Happening:
    try:
        happening: Happening = reader(document)
    except Unexpected as error:
        return Unreadable(f"{place}{error}")
    return happening
