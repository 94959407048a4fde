from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from shared.aws.credentials import Credentials
from shared.domain import Wanted
from shared.errors import NotAnObjectStore, OutOfTime, SourceUnavailable
from shared.sources.s3.control import Controls
from shared.sources.s3.location import SignedUrl
from shared.sources.s3.transport import Transport
from tests.helpers.s3_server import Answer, Asked, FaultyServer, Rule, error, s3_object
from tests.helpers.waiting import until
from tests.shared.sources.conftest import NewSource

SECONDS = 30.0
NO_ID = {"x-amz-request-id": ""}
REFUSAL = Answer(404, NO_ID)
TEXT = b"a text " * 5_000
KEYS = Credentials("key", "secret", "")


class Asking:
    """Asks for neighbors at a server, and notes the outcomes by key."""

    def __init__(self, url: str) -> None:
        self.outcomes: dict[str, Exception | None] = {}
        self._url = url
        self._transport = Transport(4, 2)
        self._controls = Controls(self._transport)

    def ask(self, *keys: str) -> None:
        """Ask for each in one turn of the transport."""

        def all_of_them() -> None:
            for key in keys:
                target = SignedUrl(f"{self._url}/bucket/{key}", "us-east-1", KEYS)
                self._controls.ask(target, partial(self._note, key))

        self._transport.call(all_of_them)

    def _note(self, key: str, error: Exception | None) -> None:
        self.outcomes[key] = error

    def close(self) -> None:
        self._transport.close()


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer(lambda _: REFUSAL) as server:
        yield server


@pytest.fixture
def asking(server: FaultyServer) -> Iterator[Asking]:
    asking = Asking(server.url)
    yield asking
    asking.close()


def test_objects_of_a_folder_and_ending_share_a_request(
    server: FaultyServer, asking: Asking
) -> None:
    keys = ["a/1.txt", "a/2.txt", "a/3.json", "b/4.txt", "a/5.txt", "a/6"]
    asking.ask(*keys)
    until(lambda: len(asking.outcomes) == len(keys))
    assert set(asking.outcomes.values()) == {None}
    asked = [asked.path for asked in server.asked]
    assert sorted((path.rpartition("/")[0], path.rpartition("-")[2]) for path in asked) == [
        ("/bucket/a", "1.txt"),
        ("/bucket/a", "3.json"),
        ("/bucket/a", "6"),
        ("/bucket/b", "4.txt"),
    ]


def test_a_head_that_comes_after_a_request_was_sent_waits_for_the_next(
    server: FaultyServer, asking: Asking
) -> None:
    others_came = threading.Event()
    page = Answer(200, {**NO_ID, "Content-Type": "text/html"}, b"welcome")

    def rule(_: Asked) -> Answer:
        if len(server.asked) > 1:
            return page  # since then, the server answers everything
        assert others_came.wait(SECONDS)
        return REFUSAL

    server.answer = rule
    asking.ask("1.txt")
    until(lambda: server.asked)
    asking.ask("2.txt", "3.txt")
    others_came.set()
    until(lambda: len(asking.outcomes) == 3)
    assert len(server.asked) == 2
    assert asking.outcomes["1.txt"] is None
    errors = [asking.outcomes["2.txt"], asking.outcomes["3.txt"]]
    assert [type(error) for error in errors] == [NotAnObjectStore] * 2
    assert errors[0] is not errors[1]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(403, NO_ID, b"no"), None),
        (Answer(404, NO_ID, b"page"), None),
        (Answer(200, NO_ID, b"page"), NotAnObjectStore),
        (Answer(206, NO_ID, b"page"), NotAnObjectStore),
        (Answer(204, NO_ID), NotAnObjectStore),
        (Answer(302, NO_ID), NotAnObjectStore),
        (error(404, "NoSuchKey"), NotAnObjectStore),  # with an id, which did not come before
        (Answer(503, NO_ID), SourceUnavailable),
    ],
)
def test_only_a_refusal_without_an_id_shows_a_store(
    answer: Answer, expected: type[Exception] | None, server: FaultyServer, asking: Asking
) -> None:
    server.answer = lambda _: answer
    asking.ask("key.txt")
    until(lambda: asking.outcomes)
    outcome = asking.outcomes["key.txt"]
    assert (outcome and type(outcome)) == expected


def store(control: Callable[[], Answer]) -> Rule:
    """Return the rule of a store without ids: a text under any short key."""
    serve = s3_object(TEXT, content_type="text/plain", x_amz_request_id="")

    def rule(asked: Asked) -> Answer:
        return serve(asked) if len(asked.path) < len("/bucket/12345678") else control()

    return rule


def test_texts_cost_one_request_each_and_few_beside_them(
    server: FaultyServer, new_source: NewSource, wanted: Callable[..., Wanted], incoming: Path
) -> None:
    server.answer = store(lambda: REFUSAL)
    source = new_source(server.url)
    futures = [
        source.fetch(wanted(f"{n}.txt", n), incoming / f"{n}.1.part") for n in range(100, 200)
    ]
    digest = hashlib.sha256(TEXT).digest()
    assert {future.result(SECONDS).sha256 for future in futures} == {digest}
    paths = [asked.path for asked in server.asked]
    assert sum(len(path) == len("/bucket/100.txt") for path in paths) == 100
    assert len(paths) < 200


def test_a_text_comes_meanwhile_and_counts_only_then(
    server: FaultyServer, new_source: NewSource, wanted: Callable[..., Wanted], incoming: Path
) -> None:
    part, came = incoming / "1.1.part", threading.Event()

    def control() -> Answer:
        assert came.wait(SECONDS)
        return REFUSAL

    server.answer = store(control)
    future = new_source(server.url).fetch(wanted("1.txt"), part)
    until(lambda: part.exists() and part.stat().st_size == len(TEXT))
    assert not future.done()
    came.set()
    assert future.result(SECONDS).size == len(TEXT)


def test_a_text_that_is_cancelled_meanwhile_leaves_nothing(
    server: FaultyServer, new_source: NewSource, wanted: Callable[..., Wanted], incoming: Path
) -> None:
    part = incoming / "1.1.part"

    def control() -> Answer:
        server.ended.wait(SECONDS)
        return REFUSAL

    server.answer = store(control)
    source = new_source(server.url, settings={"SOURCE_STALL_SECONDS": "60"})
    future = source.fetch(wanted("1.txt"), part)
    until(lambda: part.exists() and part.stat().st_size == len(TEXT))
    source.close()
    assert isinstance(future.exception(SECONDS), OutOfTime)
    assert not part.exists()


def test_a_control_request_that_is_not_answered_ends_the_download(
    server: FaultyServer, new_source: NewSource, wanted: Callable[..., Wanted], incoming: Path
) -> None:
    def control() -> Answer:
        server.ended.wait(SECONDS)
        return REFUSAL

    server.answer = store(control)
    future = new_source(server.url).fetch(wanted("1.txt"), incoming / "1.1.part")
    assert isinstance(future.exception(SECONDS), SourceUnavailable)
    assert list(incoming.iterdir()) == []
