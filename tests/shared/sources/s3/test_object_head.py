from __future__ import annotations

import pytest

from shared.sources.s3.object_head import ObjectHead

LENGTH = {"content-length": "5"}
CHUNKED = {"transfer-encoding": "chunked"}


@pytest.mark.parametrize(
    ("tag", "etag", "pinned"),
    [
        ('"abc"', "abc", True),
        ("abc", "abc", True),
        ('W/"abc"', "abc", False),
        ('""', None, False),
        ("", None, False),
        ('"abc', '"abc', False),
    ],
)
def test_an_etag_is_read_in_every_spelling_and_pins_ranges_where_it_can(
    tag: str, etag: str | None, pinned: bool
) -> None:
    head = ObjectHead.of({**LENGTH, "etag": tag, "accept-ranges": "bytes"})
    assert (head.etag, head.divisible) == (etag, pinned)


@pytest.mark.parametrize(
    ("headers", "size"),
    [
        (LENGTH, 5),
        ({}, None),
        ({"content-length": "\N{ARABIC-INDIC DIGIT FIVE}"}, None),
        ({"content-length": "-5"}, None),
        ({"content-length": "5, 5"}, None),
    ],
)
def test_the_size_is_what_the_length_says(headers: dict[str, str], size: int | None) -> None:
    assert ObjectHead.of(headers).size == size


GZIP = {"content-encoding": "gzip"}
STORED = {"x-goog-stored-content-encoding": "gzip"}


@pytest.mark.parametrize(
    ("headers", "framed", "decoded", "compressed"),
    [
        (LENGTH, True, False, False),
        ({**LENGTH, **GZIP}, True, False, False),
        ({**LENGTH, **STORED}, True, True, False),
        ({**LENGTH, **GZIP, **STORED}, True, False, False),
        (CHUNKED, True, True, False),
        ({**CHUNKED, **GZIP}, True, False, True),
        ({**CHUNKED, **GZIP, **STORED}, True, False, False),
        ({}, False, True, False),
    ],
)
def test_what_may_differ_from_what_is_stored_is_noticed(
    headers: dict[str, str], framed: bool, decoded: bool, compressed: bool
) -> None:
    head = ObjectHead.of(headers)
    seen = (head.framed, head.decoded, head.compressed_on_the_way)
    assert seen == (framed, decoded, compressed)
