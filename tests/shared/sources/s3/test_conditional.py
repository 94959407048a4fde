"""What a file in place is worth: S3 is asked whether the object has changed, and it is read."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest

from shared.domain import Fetched, StoredCopy, Wanted
from shared.errors import ObjectMissing, SourceUnavailable
from shared.sources.s3.evidence import is_unchanged
from tests.helpers.s3_server import (
    Answer,
    Asked,
    CloseConnection,
    FaultyServer,
    error,
    s3_object,
)
from tests.shared.sources.conftest import NewSource

BODY = b"the bytes" * 100
TAG = hashlib.md5(BODY, usedforsecurity=False).hexdigest()
STORED = StoredCopy(TAG, len(BODY), hashlib.sha256(BODY).digest(), "crc64nvme")
IDS = {"x-amz-request-id": "1"}

NewWanted = Callable[..., Wanted]


@pytest.mark.parametrize(
    ("status", "headers", "unchanged"),
    [
        (304, {"etag": f'"{TAG}"'}, True),
        (304, {"etag": TAG}, True),
        (304, IDS, True),
        (304, {}, False),
        (304, {"server": "proxy"}, False),
        (304, {"etag": f'W/"{TAG}"', **IDS}, False),
        (304, {"etag": '"another"', **IDS}, False),
        (304, {"etag": "", **IDS}, False),
        (200, {"etag": f'"{TAG}"', **IDS}, False),
        (412, {"etag": f'"{TAG}"', **IDS}, False),
    ],
)
def test_only_a_304_of_that_version_means_that_it_is_unchanged(
    status: int, headers: dict[str, str], *, unchanged: bool
) -> None:
    assert is_unchanged(status, headers, TAG) is unchanged


class Place:
    """A storage with the object's file, and a source beside it."""

    def __init__(self, folder: Path, new_source: NewSource, wanted: NewWanted) -> None:
        self.file = folder.parent / "key"
        self.file.write_bytes(BODY)
        self.part = folder / "1.1.part"
        self._new_source, self._wanted = new_source, wanted

    def fetch(self, url: str, stored: StoredCopy = STORED, *, attempt: int = 1) -> Future[Fetched]:
        source = self._new_source(url, settings={"STORAGE_PATH": str(self.file.parent)})
        wanted = self._wanted(attempt=attempt, seconds_later=10_000)
        return source.fetch(dataclasses.replace(wanted, stored=stored), self.part)


@pytest.fixture
def place(incoming: Path, new_source: NewSource, wanted: NewWanted) -> Place:
    return Place(incoming, new_source, wanted)


def conditions(server: FaultyServer) -> list[str | None]:
    return [asked.headers.get("if-none-match") for asked in server.asked]


def test_an_unchanged_object_is_the_file_in_place(place: Place) -> None:
    with FaultyServer(s3_object(BODY)) as server:
        fetched = place.fetch(server.url).result(20)
        assert fetched == Fetched(len(BODY), STORED.sha256, TAG, "crc64nvme", in_place=True)
        assert conditions(server) == [f'"{TAG}"']
    assert not place.part.exists()


def test_a_changed_object_comes_with_the_first_request(place: Place) -> None:
    with FaultyServer(s3_object(b"changed")) as server:
        fetched = place.fetch(server.url).result(20)
        assert (fetched.in_place, fetched.verified_by) == (False, "md5")
        assert len(server.asked) == 1
    assert place.part.read_bytes() == b"changed"


def test_a_large_changed_object_comes_whole(place: Place) -> None:
    large = bytes(range(256)) * 4 * 12 * 1024  # 12 MiB, more than one segment
    with FaultyServer(s3_object(large)) as server:
        fetched = place.fetch(server.url).result(60)
    assert fetched.size == len(large)
    assert fetched.sha256 == hashlib.sha256(large).digest()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.write_bytes(BODY[:-1] + b"X"),
        lambda file: file.write_bytes(BODY + b"X"),
        Path.unlink,
        lambda file: (file.unlink(), file.mkdir()),
        lambda file: (file.rename(file.with_name("other")), file.symlink_to("other")),
    ],
)
def test_a_file_that_is_not_as_recorded_counts_for_nothing(
    place: Place, spoil: Callable[[Path], object]
) -> None:
    spoil(place.file)
    with FaultyServer(s3_object(BODY)) as server:
        fetched = place.fetch(server.url).result(20)
        assert conditions(server) == [f'"{TAG}"', None]
    assert not fetched.in_place
    assert place.part.read_bytes() == BODY


@pytest.mark.parametrize(
    "odd",
    [
        Answer(304, {"ETag": '"another"', "Content-Length": ""}),
        Answer(304, {"ETag": f'W/"{TAG}"', "Content-Length": ""}),
        Answer(304, {"x-amz-request-id": "", "Content-Length": ""}),
        Answer(302, {"Location": "http://127.0.0.1:9/login"}),
        error(400, "InvalidArgument"),
        error(403, "SignatureDoesNotMatch"),
        error(412, "PreconditionFailed"),
        error(501, "NotImplemented"),
        Answer(403, {"Content-Type": "text/html", "x-amz-request-id": ""}, b"<html>filter"),
    ],
)
def test_an_odd_answer_to_the_condition_is_followed_by_a_plain_request(
    place: Place, odd: Answer
) -> None:
    def rule(asked: Asked) -> Answer:
        return odd if "if-none-match" in asked.headers else s3_object(BODY)(asked)

    with FaultyServer(rule) as server:
        fetched = place.fetch(server.url).result(20)
        assert conditions(server) == [f'"{TAG}"', None]
    assert not fetched.in_place
    assert place.part.read_bytes() == BODY


def test_a_store_that_ignores_the_condition_sends_the_object(place: Place) -> None:
    def rule(asked: Asked) -> Answer:
        asked.headers.pop("if-none-match", None)
        return s3_object(BODY)(asked)

    with FaultyServer(rule) as server:
        assert not place.fetch(server.url).result(20).in_place
        assert len(server.asked) == 1


def test_what_the_plain_request_is_refused_with_is_the_reason(place: Place) -> None:
    with FaultyServer(lambda _: error(404, "NoSuchKey")) as server:
        with pytest.raises(ObjectMissing):
            place.fetch(server.url).result(20)
        assert conditions(server) == [f'"{TAG}"', None]


def test_a_connection_that_breaks_ends_the_attempt(place: Place) -> None:
    def cut(_: Asked) -> Answer:
        raise CloseConnection

    with FaultyServer(cut) as server, pytest.raises(SourceUnavailable):
        place.fetch(server.url).result(20)


@pytest.mark.parametrize("tag", ['with "quotes"', "sp ace", "ümlaut", "new\nline"])
def test_an_etag_that_cannot_be_sent_is_not(place: Place, tag: str) -> None:
    with FaultyServer(s3_object(BODY)) as server:
        stored = dataclasses.replace(STORED, etag=tag)
        assert not place.fetch(server.url, stored).result(20).in_place
        assert conditions(server) == [None]
