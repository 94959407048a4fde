from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.errors import NotAnObjectStore, RetryLater, SourceUnavailable
from shared.sources.listing import ListedObject
from shared.sources.s3.list_page import read_page

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
)


def page(inside: str, truncated: str = "false") -> bytes:
    ends = f"<IsTruncated>{truncated}</IsTruncated>"
    return f"{HEAD}{ends}{inside}</ListBucketResult>".encode()


def contents(key: str, more: str = "<Size>1</Size>") -> str:
    return f"<Contents><Key>{key}</Key>{more}</Contents>"


def test_an_object_is_read_with_all_that_is_said_of_it() -> None:
    more = (
        "<LastModified>2026-01-31T12:00:00.123Z</LastModified>"
        "<ETag>&quot;0cc1-2&quot;</ETag><Size>12</Size><StorageClass>STANDARD</StorageClass>"
    )
    read = read_page(page(contents("a/b.jpg", more)))
    assert read.objects == [
        ListedObject("a/b.jpg", 12, "0cc1-2", datetime(2026, 1, 31, 12, 0, 0, 123_000, tzinfo=UTC))
    ]
    assert read.token is None


@pytest.mark.parametrize(
    ("more", "etag"),
    [("", None), ("<ETag/>", None), ('<ETag>""</ETag>', None), ("<ETag>Ab</ETag>", "Ab")],
)
def test_etags_come_in_many_forms(more: str, etag: str | None) -> None:
    [read] = read_page(page(contents("a", f"<Size>0</Size>{more}"))).objects
    assert (read.etag, read.modified) == (etag, None)


@pytest.mark.parametrize(
    ("encoded", "key"),
    [
        ("a+b%2Bc%25", "a b+c%"),
        ("%C3%BC/%E6%97%A5", "ü/日"),
        ("a%00%0A", "a\0\n"),
        ("%FF", "\udcff"),
    ],
)
def test_keys_are_decoded_where_the_store_says_so(encoded: str, key: str) -> None:
    assert read_page(page(contents(encoded))).objects[0].key == encoded
    said = page(f"<EncodingType>url</EncodingType>{contents(encoded)}")
    assert read_page(said).objects[0].key == key


def test_there_is_more_where_the_store_says_so() -> None:
    more = page("<NextContinuationToken>t=</NextContinuationToken>", "true")
    assert read_page(more).token == "t="


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (b"", NotAnObjectStore),
        (b"<html><body>Please log in</body></html>", NotAnObjectStore),
        (b'{"ListBucketResult": []}', NotAnObjectStore),
        (b"<ListAllMyBucketsResult/>", NotAnObjectStore),
        (b"<Error><Code>ListBucketResult</Code></Error>", NotAnObjectStore),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><ListBucketResult/>', NotAnObjectStore),
        (page(contents("a"))[:-9], SourceUnavailable),
        (page(contents("a\x01")), SourceUnavailable),
        (f"{HEAD}{contents('a')}</ListBucketResult>".encode(), SourceUnavailable),
        (page("", "true"), SourceUnavailable),
        (page("<NextContinuationToken>used</NextContinuationToken>", "true"), SourceUnavailable),
        (page(contents("", "<Size>1</Size>")), SourceUnavailable),
        (page(contents("a", "")), SourceUnavailable),
        (page(contents("a", "<Size>-1</Size>")), SourceUnavailable),
        (page(contents("other")), SourceUnavailable),
    ],
)
def test_what_is_no_whole_page_is_no_page(document: bytes, error: type[RetryLater]) -> None:
    with pytest.raises(error):
        read_page(document, prefix="a", token="used")
