from __future__ import annotations

import pytest

from shared.domain import Metadata
from shared.sources.s3.metadata import metadata


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("Fri, 13 Feb 2009 23:31:30 GMT", 1_234_567_890.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Fri, 13 Feb 2009 23:31:30 +0000", 1_234_567_890.0),
        ("Friday, 13-Feb-09 23:31:30 GMT", 1_234_567_890.0),
        ("Fri Feb 13 23:31:30 2009", 1_234_567_890.0),
        ("2009-02-13T23:31:30Z", None),
        ("Fri, 13 Foo 2009 23:31:30 GMT", None),
        ("Fri, 13 Feb 2009 24:31:30 GMT", None),
        ("yesterday", None),
        ("Fri, 99 Feb 2009 23:31:30 GMT", None),
        ("", None),
    ],
)
def test_the_time_of_an_object_is_its_last_modified(date: str, seconds: float | None) -> None:
    assert metadata({"last-modified": date}) == Metadata(seconds)


def test_content_type_etag_and_user_metadata_are_kept() -> None:
    kept = {"content-type": "image/jpeg", "etag": '"e"', "x-amz-meta-a": "1"}
    assert metadata({**kept, "x-amz-id-2": "x", "content-length": "3"}) == Metadata(None, kept)
    assert metadata({}) == Metadata()
