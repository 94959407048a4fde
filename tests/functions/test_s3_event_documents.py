from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote_plus

import pytest

from functions.s3_events.documents import parse, read
from functions.s3_events.happenings import Created, Passed, Unreadable
from tests.helpers.events import recorded

BUCKET = "amzn-s3-demo-bucket"
KEYS = [
    "a b.jpg",
    "a+b.jpg",
    "100%.jpg",
    "a%2Fb.jpg",
    "%41 +%2B.jpg",
    "Cafe\u0301/e\u0301.jpg",
    'it\'s "quoted".jpg',
    "a&b=c?d#e;f.jpg",
    "😀/日本.txt",
    "/".join(["s" * 255, "ü" * 127, "s" * 255, "s" * 200, "s" * 56]),
]


def created(document: Any) -> Created:
    """Return the one thing that a document tells of."""
    [happening] = read(document)
    assert isinstance(happening, Created)
    return happening


def s3(key: str = "a.jpg", name: str = "ObjectCreated:Put", **of_object: Any) -> dict[str, Any]:
    """Return a notification of S3 about one object, whose key is encoded as S3 does it."""
    document = recorded("s3/put")
    record = document["Records"][0]
    record["eventName"] = name
    record["s3"]["object"] |= {"key": quote_plus(key, safe="/"), **of_object}
    return document


@pytest.mark.parametrize(
    ("name", "key", "etag", "request_id"),
    [
        ("put", "HappyFace.jpg", "d41d8cd98f00b204e9800998ecf8427e", "C3D13FE58DE4C810"),
        ("sns", "HappyFace.jpg", "d41d8cd98f00b204e9800998ecf8427e", "C3D13FE58DE4C810"),
        ("sns_envelope", "HappyFace.jpg", "d41d8cd98f00b204e9800998ecf8427e", "C3D13FE58DE4C810"),
        ("eventbridge", "example-key", "b1946ac92492d2347c6235b4d2611184", "N4N7GDK58NMKJ12R"),
        ("minio", "photos/a b.jpg", "5fc7298143efe1276d39a3466d4e255f-1", "15CFEDF8D4736ED9"),
        (
            "ceph",
            "my image+1%.jpg",
            "37b51d194a7513e45b56f6524f2d51f2",
            "503a4c37-85eb-47cd-8681-2817e80b4281.5330.903595",
        ),
        ("seaweedfs", "dir/a b+ü%2F.jpg", "5d41402abc4b2a76b9719d911017c592", None),
        ("seaweedfs_versions", "d/v.txt", "c4ca4238a0b923820dcc509a6f75849b", None),
    ],
)
def test_documents_are_read_as_they_are_printed(
    name: str, key: str, etag: str, request_id: str | None
) -> None:
    found = created(recorded(f"s3/{name}"))
    assert (found.bucket, found.key, found.etag) == (BUCKET, key, etag)
    assert found.request_id == request_id


@pytest.mark.parametrize("key", KEYS, ids=range(len(KEYS)))
def test_a_key_is_decoded_where_its_sender_encodes_it(key: str) -> None:
    assert created(s3(key)).key == key
    bridge = recorded("s3/eventbridge")
    bridge["detail"]["object"]["key"] = key
    assert created(bridge).key == key
    ceph = recorded("s3/ceph")
    ceph["Records"][0]["s3"]["object"]["key"] = key
    assert created(ceph).key == key
    minio = recorded("s3/minio")
    minio["Records"][0]["s3"]["object"]["key"] = quote_plus(key, safe="")
    assert created(minio).key == key
    seaweedfs = recorded("s3/seaweedfs")
    folder, _, name = f"/buckets/{BUCKET}/{key}".rpartition("/")
    seaweedfs["message"]["new_parent_path"] = folder
    seaweedfs["message"]["new_entry"]["name"] = name
    assert created(seaweedfs).key == key


@pytest.mark.parametrize("name", ["Put", "Post", "Copy", "CompleteMultipartUpload"])
@pytest.mark.parametrize("version", ["2.0", "2.1", "2.2", "2.3", "2.6"])
def test_every_creation_of_every_version_is_read(name: str, version: str) -> None:
    document = s3("a.jpg", f"ObjectCreated:{name}")
    document["Records"][0]["eventVersion"] = version
    assert created(document).key == "a.jpg"
    document["Records"][0]["eventName"] = f"s3:ObjectCreated:{name}"
    assert created(document).key == "a.jpg"


@pytest.mark.parametrize(
    "document",
    [
        recorded("s3/test_event"),
        {"Records": [{"Service": "NooBaa", "Event": "s3:TestEvent"}]},
        s3(name="ObjectRemoved:Delete"),
        s3(name="ObjectRemoved:DeleteMarkerCreated"),
        s3(name="s3:ObjectRestore:Completed"),
        s3(name="ObjectTagging:Put"),
        s3(name="ObjectCreated:Post", eTag="", size=0),  # Ceph: a multipart upload begins
        recorded("s3/eventbridge") | {"detail-type": "Object Deleted"},
        recorded("s3/eventbridge") | {"source": "my.own"},
    ],
)
def test_what_leaves_nothing_to_copy_is_passed_over(document: Any) -> None:
    [happening] = read(document)
    assert isinstance(happening, Passed)


@pytest.mark.parametrize("body", ["", " \n", "{}", "[]", '{"Records": []}'])
def test_an_empty_notification_tells_of_nothing(body: str) -> None:
    assert list(parse(body)) == []
    assert list(parse(body.encode())) == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{", "not JSON at character 1"),
        ("\x00", "not JSON at character 0"),
        (b"\xff\xfe{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("1" * 5_000, "not JSON"),
        ('"text"', "expected a JSON object"),
        ("[[{}]]", "expected a JSON object"),
        ('{"hello": 1}', "neither a notification of S3, EventBridge, SNS nor SeaweedFS"),
        ('{"Records": {}}', "neither a notification of S3, EventBridge, SNS nor SeaweedFS"),
        ('{"Type": "SubscriptionConfirmation"}', "an SNS subscription, which its owner confirms"),
        ('{"Type": "Notification", "Message": "hi"}', "not JSON at character 0"),
        ('{"Records": [7]}', "record 1: Event: expected a text, found nothing"),
        ('{"detail-type": 7}', "detail-type: expected a text, found a number"),
        ('{"event_type": "create", "message": {"new_entry": {}}}', "new_parent_path: expected"),
    ],
)
def test_what_cannot_be_read_has_a_reason(body: str | bytes, reason: str) -> None:
    [happening] = parse(body)
    assert isinstance(happening, Unreadable)
    assert happening.reason.startswith(reason)


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("s3", "object", "key"), None, "s3.object.key: expected a text, found nothing"),
        (("s3", "object", "key"), "", "s3.object.key: expected a text, found an empty one"),
        (("s3", "object", "key"), [], "s3.object.key: expected a text, found an array"),
        (("s3", "object"), True, "s3.object.key: expected a text, found nothing"),
        (("s3", "bucket", "name"), {}, "s3.bucket.name: expected a text, found an object"),
        (("s3", "object", "eTag"), 1.5, "s3.object.eTag: expected a text, found a number"),
        (("s3", "object", "eTag"), "\ud800", "s3.object.eTag: not valid Unicode"),
        (("eventName",), False, "eventName: expected a text, found true or false"),
    ],
)
def test_of_several_records_the_unreadable_one_is_named(
    path: tuple[str, ...], value: Any, reason: str
) -> None:
    document = s3("good.jpg")
    bad = s3("bad.jpg")["Records"][0]
    place = bad
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    document["Records"].append(bad)
    first, second = read(document)
    assert isinstance(first, Created)
    assert second == Unreadable(f"record 2: {reason}")


def test_the_etag_tells_versions_apart_then_the_version_id_then_the_sequencer() -> None:
    given = created(s3(eTag='"5d41"', versionId="v1", sequencer="0A"))
    assert given.version == ("etag", "5d41")
    assert created(s3(eTag="", versionId="v1", sequencer="0A")).version == ("version", "v1")
    assert created(s3(eTag=None, versionId="null", sequencer="0A")).version == ("sequencer", "0A")
    assert created(s3(eTag="", versionId="", sequencer="")).version == (
        "time",
        "1970-01-01T00:00:00.000Z",
    )
    nothing = s3(eTag="", versionId="", sequencer="")
    del nothing["Records"][0]["eventTime"]
    [happening] = read(nothing)
    assert happening == Unreadable("record 1: neither ETag, version id, sequencer nor time")


@pytest.mark.parametrize("request_id", [None, "", 7, "a b", "x" * 129, "ü", "=1+1"])
def test_an_id_that_is_not_safe_is_left_out(request_id: Any) -> None:
    document = s3()
    document["Records"][0]["responseElements"] = {"x-amz-request-id": request_id}
    assert created(document).request_id is None


@pytest.mark.parametrize(
    ("size", "expected"), [(7, 7), ("7", 7), (None, None), ("x", None), (True, None), ("²", None)]
)
def test_a_size_may_be_a_text(size: Any, expected: int | None) -> None:
    assert created(s3(size=size)).size == expected


def seaweedfs(folder: str, name: str = "a.jpg", **entry: Any) -> dict[str, Any]:
    document = recorded("s3/seaweedfs")
    document["message"]["new_parent_path"] = folder
    document["message"]["new_entry"] |= {"name": name, **entry}
    return document


def encoded(**extended: str) -> dict[str, str]:
    return {name: base64.b64encode(text.encode()).decode() for name, text in extended.items()}


@pytest.mark.parametrize(
    "document",
    [
        seaweedfs("/buckets"),
        seaweedfs("/"),
        seaweedfs("/etc/iam"),
        seaweedfs(f"/buckets/{BUCKET}", is_directory=True),
        seaweedfs(f"/buckets/{BUCKET}", ".uploads", is_directory=True),
        seaweedfs(f"/buckets/{BUCKET}/.uploads/1968", "0001_d8bc.part"),
        seaweedfs(
            f"/buckets/{BUCKET}/d/v.txt.versions",
            "v_6713",
            extended=encoded(**{"Seaweed-X-Amz-Version-Id": "6713"}),
        ),
        seaweedfs(f"/buckets/{BUCKET}/d", "v.txt.versions", is_directory=True, extended={}),
        {"event_type": "delete", "key": "/buckets/b/a", "message": {"old_entry": {"name": "a"}}},
    ],
)
def test_entries_that_are_no_objects_are_passed_over(document: Any) -> None:
    [happening] = read(document)
    assert isinstance(happening, Passed)


def test_an_object_that_came_past_s3_has_its_md5_as_its_etag() -> None:
    found = created(seaweedfs(f"/buckets/{BUCKET}/d", extended=None))
    assert (found.key, found.etag) == ("d/a.jpg", "5d41402abc4b2a76b9719d911017c592")
    none = created(seaweedfs(f"/buckets/{BUCKET}", extended={}, attributes={"mtime": 7}))
    assert (none.version, none.size) == (("time", "7"), 0)


@pytest.mark.parametrize("text", ["%", "/w==", "ü"])
def test_extended_attributes_are_base64(text: str) -> None:
    [happening] = read(seaweedfs(f"/buckets/{BUCKET}", extended={"Seaweed-X-Amz-ETag": text}))
    assert isinstance(happening, Unreadable)


def test_documents_survive_every_field_of_another_type() -> None:
    """Whatever stands in for whatever, reading never raises."""
    others: tuple[Any, ...] = (None, True, 7, 1.5, "", "\ud800", [], {}, [[]], {"": {}})
    names = ["put", "eventbridge", "sns", "sns_envelope", "minio", "ceph", "seaweedfs"]
    for name in [*names, "seaweedfs_versions", "test_event"]:
        text = json.dumps(recorded(f"s3/{name}"))
        for other in others:
            for changed in _changed(json.loads(text), other):
                list(read(changed))


def _changed(document: Any, other: Any) -> list[Any]:
    """Return a document with each of its values replaced in turn."""
    changed = [other]
    parts = document if isinstance(document, dict) else dict(enumerate(document))
    for name, value in parts.items():
        inner = _changed(value, other) if isinstance(value, dict | list) else [other]
        for one in inner:
            copied = dict(document) if isinstance(document, dict) else list(document)
            copied[name] = one
            changed.append(copied)
    return changed
