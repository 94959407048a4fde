"""What every `ObjectSource` holds, each over a server of its own, and the fake among them."""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, wait
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

import pytest

from shared.aws.s3 import s3_client
from shared.config.settings import Settings
from shared.domain import Fetched, Wanted
from shared.errors import GiveUp, OutOfTime, RetryLater
from shared.sources.interface import ObjectSource
from shared.sources.nasa import NasaSource
from shared.sources.s3.source import S3Source
from tests.helpers.fake_source import FakeSource, Hangs
from tests.helpers.s3_server import Answer, Asked, FaultyServer, error, s3_object
from tests.helpers.waiting import until

SECONDS = 30
BODY = bytes(range(256)) * 20_000


class Store(Protocol):
    """A source, and the objects that it finds."""

    source: ObjectSource

    def put(self, name: str, body: bytes) -> None:
        """Make an object be found."""
        ...

    def close(self) -> None:
        """End its server; the source is closed already."""
        ...


class SlowStore(Store, Protocol):
    """A store that can also keep a copy waiting."""

    def hang(self, name: str) -> None:
        """Make the copy of an object not come to an end."""
        ...

    def begun(self, name: str) -> bool:
        """Return whether the object was asked for."""
        ...


def trickle(server: FaultyServer) -> Callable[[Any, Asked], None]:
    def send(connection: Any, _: Asked) -> None:
        while not server.ended.wait(0.02):
            connection.sendall(b"x" * 70_000)

    return send


class S3OverFaultyServer:
    def __init__(self) -> None:
        self._objects: dict[str, Callable[[Asked], Answer]] = {}
        self._server = FaultyServer(self._answer)
        self._server.__enter__()
        self.source: ObjectSource = S3Source(s3_settings(self._server.url, "bucket"))

    def _answer(self, asked: Asked) -> Answer:
        rule = self._objects.get(unquote(asked.path).removeprefix("/bucket/"))
        return rule(asked) if rule else error(404, "NoSuchKey")

    def put(self, name: str, body: bytes) -> None:
        self._objects[name] = s3_object(body)

    def hang(self, name: str) -> None:
        endless = Answer(200, {"Content-Length": str(10**12)}, send=trickle(self._server))
        self._objects[name] = lambda _: endless

    def begun(self, name: str) -> bool:
        return any(asked.path == f"/bucket/{name}" for asked in self._server.asked)

    def close(self) -> None:
        self._server.__exit__(None, None, None)


class S3OverMoto:
    def __init__(self, endpoint: str) -> None:
        self._bucket = f"contract-{uuid.uuid4().hex}"
        settings = s3_settings(endpoint, self._bucket)
        self._client: Any = s3_client(settings)
        self._client.create_bucket(Bucket=self._bucket)
        self.source: ObjectSource = S3Source(settings)

    def put(self, name: str, body: bytes) -> None:
        self._client.put_object(Bucket=self._bucket, Key=name, Body=body)

    def close(self) -> None:
        pass


class NasaOverFaultyServer:
    """All names are one object there."""

    def __init__(self) -> None:
        self._photo = Answer(404)
        self._server = FaultyServer(self._answer)
        self._server.__enter__()
        url = f"{self._server.url}/photos"
        settings = Settings.from_mapping({"SOURCE": "nasa", "NASA_API_URL": url})
        self.source: ObjectSource = NasaSource(settings)

    def _answer(self, asked: Asked) -> Answer:
        if not asked.path.startswith("/photos"):
            return self._photo
        listing = {"photos": [{"img_src": f"{self._server.url}/photo.jpg"}]}
        return Answer(200, {}, json.dumps(listing).encode())

    def put(self, _: str, body: bytes) -> None:
        self._photo = Answer(200, {}, body)

    def hang(self, _: str) -> None:
        length = {"Content-Length": str(10**12)}
        self._photo = Answer(200, length, send=trickle(self._server))

    def begun(self, _: str) -> bool:
        return any(asked.path == "/photo.jpg" for asked in self._server.asked)

    def close(self) -> None:
        self._server.__exit__(None, None, None)


class Fake:
    def __init__(self) -> None:
        self._fake = FakeSource()
        self.source: ObjectSource = self._fake

    def put(self, name: str, body: bytes) -> None:
        self._fake.objects[name] = body

    def hang(self, name: str) -> None:
        self._fake.objects[name] = Hangs()

    def begun(self, name: str) -> bool:
        return any(fetched == name for fetched, _ in self._fake.fetched)

    def close(self) -> None:
        pass


def s3_settings(endpoint: str, bucket: str) -> Settings:
    return Settings.from_mapping(
        {
            "AWS_S3_BUCKET_NAME": bucket,
            "AWS_S3_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_S3_SECRET_ACCESS_KEY": "hushhush",
            "AWS_S3_REGION_NAME": "us-east-1",
            "AWS_ENDPOINT_URL_S3": endpoint,
        }
    )


SLOW_STORES: dict[str, Callable[[], SlowStore]] = {
    "s3": S3OverFaultyServer,
    "nasa": NasaOverFaultyServer,
    "fake": Fake,
}


@pytest.fixture(params=[*SLOW_STORES, "s3 over moto"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    chosen: Store
    if request.param in SLOW_STORES:
        chosen = SLOW_STORES[request.param]()
    else:
        chosen = S3OverMoto(request.getfixturevalue("s3_endpoint"))
    yield chosen
    chosen.source.close()
    chosen.close()


@pytest.fixture(params=SLOW_STORES)
def slow_store(request: pytest.FixtureRequest) -> Iterator[SlowStore]:
    chosen = SLOW_STORES[request.param]()
    yield chosen
    chosen.source.close()
    chosen.close()


def until_begun(store: SlowStore) -> None:
    until(lambda: store.begun("slow"))


def test_an_object_is_copied_whole_and_verified(
    store: Store, incoming: Path, wanted: Callable[..., Wanted]
) -> None:
    store.put("a b/ü.jpg", BODY)
    fetched = store.source.fetch(wanted("a b/ü.jpg"), incoming / "1.1.part").result(SECONDS)
    assert (incoming / "1.1.part").read_bytes() == BODY
    assert (fetched.size, fetched.sha256) == (len(BODY), hashlib.sha256(BODY).digest())
    assert fetched.verified_by
    assert fetched.etag is None or '"' not in fetched.etag


def test_copies_side_by_side_each_have_their_outcome(
    store: Store, incoming: Path, wanted: Callable[..., Wanted]
) -> None:
    store.put("k", BODY)
    parts = {n: incoming / f"{n}.1.part" for n in range(1, 41)}
    futures = {n: store.source.fetch(wanted("k", n), part) for n, part in parts.items()}
    assert all(future.result(SECONDS).size == len(BODY) for future in futures.values())
    assert all(part.read_bytes() == BODY for part in parts.values())


def test_a_failure_is_one_of_the_two_kinds_and_leaves_nothing(
    store: Store, incoming: Path, wanted: Callable[..., Wanted]
) -> None:
    failure = store.source.fetch(wanted("missing"), incoming / "1.1.part").exception(SECONDS)
    assert isinstance(failure, RetryLater | GiveUp)
    assert list(incoming.iterdir()) == []


def test_a_storage_that_cannot_be_written_ends_in_such_a_failure_too(
    store: Store, tmp_path: Path, wanted: Callable[..., Wanted]
) -> None:
    store.put("k", BODY)
    failure = store.source.fetch(wanted(), tmp_path / "gone" / "1.1.part").exception(SECONDS)
    assert isinstance(failure, RetryLater | GiveUp)


def test_a_fetch_returns_at_once_and_its_copy_ends_soon_after_it_is_cancelled(
    slow_store: SlowStore, incoming: Path, wanted: Callable[..., Wanted]
) -> None:
    slow_store.hang("slow")
    future = slow_store.source.fetch(wanted("slow"), incoming / "1.1.part")
    assert not future.done()  # so it did not wait for the copy, which never ends by itself
    until_begun(slow_store)
    assert future.cancel()
    assert not wait([future], SECONDS).not_done
    assert list(incoming.iterdir()) == []
    with pytest.raises(CancelledError):
        future.result()


def test_a_cancelled_copy_makes_room_for_others(
    slow_store: SlowStore, incoming: Path, wanted: Callable[..., Wanted]
) -> None:
    slow_store.hang("slow")
    hanging = [
        slow_store.source.fetch(wanted("slow", n), incoming / f"{n}.1.part") for n in range(50)
    ]
    until_begun(slow_store)
    slow_store.put("k", BODY)
    for future in hanging:
        future.cancel()
    copied = slow_store.source.fetch(wanted("k", 99), incoming / "99.1.part")
    assert copied.result(SECONDS).size == len(BODY)
    # A source may need a moment to close the parts of those that it had begun.
    until(lambda: [path.name for path in incoming.iterdir()] == ["99.1.part"], seconds=SECONDS)


def test_closing_ends_every_copy_before_it_returns(
    slow_store: SlowStore, incoming: Path, wanted: Callable[..., Wanted]
) -> None:
    slow_store.hang("slow")
    futures = [
        slow_store.source.fetch(wanted("slow", n), incoming / f"{n}.1.part") for n in range(50)
    ]
    until_begun(slow_store)
    closing = threading.Thread(target=slow_store.source.close)
    closing.start()
    closing.join(SECONDS)
    assert not closing.is_alive()
    assert {type(future.exception(0)) for future in futures} == {OutOfTime}
    assert list(incoming.iterdir()) == []


def test_a_closed_source_copies_nothing(
    store: Store, incoming: Path, wanted: Callable[..., Wanted]
) -> None:
    store.put("k", BODY)
    store.source.close()
    future: Future[Fetched] = store.source.fetch(wanted("k"), incoming / "1.1.part")
    assert isinstance(future.exception(SECONDS), OutOfTime)
    store.source.close()
    assert list(incoming.iterdir()) == []
