from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared import errors
from shared.adapters import source as chosen
from shared.config.settings import Settings
from shared.domain import Wanted
from shared.sources.nasa import LIST_SECONDS, PAUSE_SECONDS, NasaSource
from tests.helpers.s3_server import Answer, Asked, FaultyServer

KEY = "hushhush"
PHOTO = b"\xff\xd8" + b"photo" * 50_000
SECONDS = 30


class Api:
    """NASA's API and its pictures, with what a test wants to go wrong."""

    def __init__(self) -> None:
        self.listing: Any = None
        self.list_answer: Answer | None = None
        self.photo_answer: Answer | None = None
        self.lists = 0
        self.clock = 0.0
        self.server = FaultyServer(self.answer)

    def answer(self, asked: Asked) -> Answer:
        if not asked.path.startswith("/photos"):
            return self.photo_answer or Answer(200, {"ETag": '"tag"'}, PHOTO)
        self.lists += 1
        assert f"api_key={KEY}" in asked.path
        assert "sol=" in asked.path
        photos = [{"img_src": f"{self.server.url}/{n}.jpg"} for n in range(3)]
        listing = {"photos": photos} if self.listing is None else self.listing
        return self.list_answer or Answer(200, {}, json.dumps(listing).encode())

    def source(self, **settings: str) -> NasaSource:
        values = {"NASA_API_URL": f"{self.server.url}/photos", "NASA_API_KEY": KEY, **settings}
        made = Settings.from_mapping({"SOURCE": "nasa", "SOURCE_STALL_SECONDS": "1", **values})
        return NasaSource(made, pick=lambda urls: urls[-1], clock=lambda: self.clock)


@pytest.fixture
def api() -> Any:
    api = Api()
    with api.server:
        yield api


def test_a_photo_is_copied_for_whatever_was_wanted(
    api: Api, incoming: Path, wanted: Callable[..., Wanted]
) -> None:
    source = api.source()
    fetched = source.fetch(wanted("any/name.jpg"), incoming / "1.1.part").result(SECONDS)
    source.close()
    assert (incoming / "1.1.part").read_bytes() == PHOTO
    assert fetched.sha256 == hashlib.sha256(PHOTO).digest()
    assert (fetched.size, fetched.etag, fetched.verified_by) == (len(PHOTO), "tag", "size")
    assert api.server.asked[-1].path == "/2.jpg"


def test_the_list_is_asked_for_once_in_half_an_hour(
    api: Api, incoming: Path, wanted: Callable[..., Wanted]
) -> None:
    source = api.source()
    futures = [source.fetch(wanted("k", n), incoming / f"{n}.1.part") for n in range(20)]
    assert all(f.result(SECONDS).size == len(PHOTO) for f in futures)
    assert api.lists == 1
    api.clock = LIST_SECONDS + 1
    source.fetch(wanted("k", 99), incoming / "99.1.part").result(SECONDS)
    source.close()
    assert api.lists == 2


def test_an_api_that_refuses_is_asked_once_a_minute_whoever_waits(
    api: Api, incoming: Path, wanted: Callable[..., Wanted]
) -> None:
    api.list_answer = Answer(429)
    source = api.source()
    futures = [source.fetch(wanted("k", n), incoming / f"{n}.1.part") for n in range(20)]
    said = {str(future.exception(SECONDS)) for future in futures}
    assert (api.lists, said) == (1, {"The object store could not be read: it answered 429"})
    api.list_answer, api.clock = None, PAUSE_SECONDS + 1
    source.fetch(wanted("k", 99), incoming / "99.1.part").result(SECONDS)
    source.close()
    assert api.lists == 2


def _cut(connection: Any, _: Asked) -> None:
    connection.sendall(b"x" * 10)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("list_answer", Answer(403), errors.CredentialsRefused),
        ("list_answer", Answer(429), errors.SourceUnavailable),
        ("list_answer", Answer(500), errors.SourceUnavailable),
        ("list_answer", Answer(200, {}, b"<html>"), errors.SourceUnavailable),
        ("listing", {"photos": []}, errors.SourceUnavailable),
        ("listing", {"photos": [{"img_src": "file:///etc/passwd"}]}, errors.SourceUnavailable),
        ("listing", [1], errors.SourceUnavailable),
        ("photo_answer", Answer(404), errors.SourceUnavailable),
        ("photo_answer", Answer(503), errors.SourceUnavailable),
        ("photo_answer", Answer(200), errors.ContentMismatch),
        ("photo_answer", Answer(200, {"Content-Length": "99"}, send=_cut), errors.RetryLater),
    ],
)
def test_each_failure_has_its_error_and_leaves_nothing(
    field: str,
    value: Any,
    expected: type[errors.TransferError],
    api: Api,
    incoming: Path,
    wanted: Callable[..., Wanted],
) -> None:
    setattr(api, field, value)
    source = api.source()
    failure = source.fetch(wanted(), incoming / "1.1.part").exception(SECONDS)
    source.close()
    assert isinstance(failure, expected)
    assert KEY not in str(failure)
    assert list(incoming.iterdir()) == []


def _hang(api: Api) -> Callable[[Any, Asked], None]:
    def hang(_: Any, __: Asked) -> None:
        api.server.ended.wait()

    return hang


def test_a_server_that_does_not_answer_is_given_up_after_a_while(
    api: Api, incoming: Path, wanted: Callable[..., Wanted]
) -> None:
    api.photo_answer = Answer(200, {"Content-Length": "9"}, send=_hang(api))
    source = api.source()
    failure = source.fetch(wanted(), incoming / "1.1.part").exception(SECONDS)
    source.close()
    assert isinstance(failure, errors.SourceUnavailable)


def test_a_cancelled_copy_ends_and_leaves_nothing(
    api: Api, incoming: Path, wanted: Callable[..., Wanted]
) -> None:
    begun = threading.Event()

    def slowly(connection: Any, _: Asked) -> None:
        while not api.server.ended.wait(0.01):
            connection.sendall(b"x" * 70_000)
            begun.set()

    api.photo_answer = Answer(200, {"Content-Length": str(10**12)}, send=slowly)
    source = api.source()
    future = source.fetch(wanted(), incoming / "1.1.part")
    assert begun.wait(SECONDS)
    assert future.cancel()
    source.close()
    assert list(incoming.iterdir()) == []


def test_the_key_is_never_logged(
    api: Api, incoming: Path, wanted: Callable[..., Wanted], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    source = api.source()
    source.fetch(wanted(), incoming / "1.1.part").result(SECONDS)
    source.close()
    assert KEY not in caplog.text


def test_the_setting_chooses_the_source() -> None:
    source = chosen(Settings.from_mapping({"SOURCE": "nasa"}))
    source.close()
    assert isinstance(source, NasaSource)
