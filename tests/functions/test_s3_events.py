from __future__ import annotations

import base64
import copy
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from functions.reconcile.recording import key_of
from functions.s3_events import handler as module
from functions.s3_events.endpoint import Access, Endpoint
from functions.s3_events.service import Config, S3Events
from functions.s3_events.wiring import _log_elsewhere
from shared.cache.memory import MemoryCache
from shared.config.parsers import RateLimit
from shared.errors import LedgerUnavailable
from shared.http.body_limits import EVENT_BYTES
from shared.http.rate_limit import RateLimiter
from shared.http.refusal_log import RefusalLog
from shared.ledger.rows import Claim
from shared.metrics import tally
from shared.sources.listing import ListedObject
from tests.functions.test_s3_event_documents import KEYS, s3
from tests.helpers.events import recorded
from tests.helpers.fake_publisher import FakePublisher
from tests.helpers.paths import ROOT
from tests.helpers.roles import open_ledger, own_ledger
from tests.helpers.servers import execute, query

BUCKET = "amzn-s3-demo-bucket"
SECRET = b"0123456789abcdef: the store's"
AWAY = "postgresql://sync@127.0.0.1:1/sync"
A, B = "d41d8cd98f00b204e9800998ecf8427e", "b1946ac92492d2347c6235b4d2611184"


class Clock:
    now = 1_795_428_000.0

    def __call__(self) -> float:
        return self.now


class Store:
    """The function over a real ledger, and the events that a test sends to it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.ledger = open_ledger(url)
        self.publisher = FakePublisher()
        self.clock = Clock()
        self.elsewhere = RefusalLog(_log_elsewhere, self.clock)
        config = Config(BUCKET, delivery_seconds=30.0)
        self.events = S3Events(
            config, own_ledger(self.ledger, "s3_events"), self.publisher, self.elsewhere
        )
        access = Access(SECRET, RateLimit(3, 60), trusted_proxies=())
        limiter = RateLimiter(MemoryCache(self.clock), self.clock)
        self.endpoint = Endpoint(access, limiter, self.events)

    def __call__(self, event: Any) -> dict[str, Any]:
        """Invoke the function as AWS does."""
        return module.invoked(self.events, event, "invocation")

    def put(self, etag: str, request_id: str, key: str = "a.jpg") -> dict[str, Any]:
        """Put an object, of which the store tells."""
        return self(event(key, etag, request_id))

    def rows(self, columns: str = "file_name, state::text") -> list[tuple[Any, ...]]:
        return query(self.url, f"SELECT {columns} FROM file_sync ORDER BY id")

    def claim(self, *row_ids: int) -> list[Claim]:
        """Let a worker begin."""
        return self.ledger.claim(row_ids, lease_seconds=60, max_attempts=8)

    def synced(self, row_id: int, etag: str | None) -> None:
        """Let the copy of a row be that of a version."""
        execute(
            self.url,
            "UPDATE file_sync SET state = 'synced', leased_until = NULL, synced_at = now(),"
            " placed_at = now(), file_path = file_name, size_bytes = 1, sha256 = '\\x00',"
            f" etag = {repr(etag) if etag else 'NULL'} WHERE id = {row_id}",
        )

    def failed(self, row_id: int, state: str = "failed") -> None:
        execute(
            self.url,
            f"UPDATE file_sync SET state = '{state}', last_error = 'gone', failed_at = now(),"
            f" attempts = 8 WHERE id = {row_id}",
        )

    def actions(self) -> list[tuple[str, str]]:
        return [(one.action.value, one.actor) for one in self.ledger.actions.newest(9)][::-1]

    def post(
        self, body: bytes | str, authorization: str | None = None, path: str = "/events/s3/"
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Send a request as a store does, with the secret unless told otherwise."""
        answer = module.respond(self.endpoint, http_event(body, authorization, path))
        return answer["statusCode"], json.loads(answer["body"]), answer["headers"]


def event(key: str, etag: str, request_id: str) -> dict[str, Any]:
    document = s3(key, eTag=etag)
    document["Records"][0]["responseElements"]["x-amz-request-id"] = request_id
    return document


def bearer(secret: bytes = SECRET) -> str:
    return f"Bearer {secret.decode()}"


def http_event(
    body: bytes | str = b"", authorization: str | None = None, path: str = "/events/s3/"
) -> dict[str, Any]:
    made = copy.deepcopy(recorded("function_url"))
    made["rawPath"] = made["requestContext"]["http"]["path"] = path
    made["headers"] = {"content-type": "application/json"}
    if authorization != "":
        made["headers"]["authorization"] = authorization or bearer()
    data = body.encode() if isinstance(body, str) else body
    made["body"] = base64.b64encode(data).decode()
    made["isBase64Encoded"] = True
    return made


def of_queue(*bodies: str) -> dict[str, Any]:
    """Return the event of a queue."""
    document = recorded("s3/sqs")
    [first] = document["Records"]
    document["Records"] = [
        {**first, "messageId": f"message {n}", "body": body} for n, body in enumerate(bodies)
    ]
    return document


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store(database_url)
    yield store
    store.ledger.close()


@pytest.fixture
def cut_off() -> Iterator[Store]:
    """The function while the ledger is away."""
    store = Store(AWAY)
    yield store
    store.ledger.close()


@pytest.fixture
def counted() -> Iterator[Callable[[], dict[str, float]]]:
    """Return what was counted of events since the test began."""
    before = tally.process.take()

    def outcomes() -> dict[str, float]:
        taken = tally.process.take()
        return {
            labels[0]: number
            for (metric, labels), number in taken.counts.items()
            if metric.name == "sync_s3_events_total"
        }

    yield outcomes
    tally.process.put_back(before)


def test_an_event_becomes_a_row_like_reconciles_and_a_message(store: Store) -> None:
    assert store(recorded("s3/put")) == {"recorded": 1, "again": 0, "known": 0}
    [row] = store.rows(
        "id, file_name, file_type, origin, oeid, ref_id, request_id, payload_checksum,"
        " state::text, next_attempt_at <= now(), due_at > now() + interval '20 s'"
    )
    listed = ListedObject("HappyFace.jpg", 1024, A, None)
    assert row[1:7] == ("HappyFace.jpg", "image/jpeg", "s3_event", "", "", "C3D13FE58DE4C810")
    assert bytes(row[7]) == key_of(BUCKET, listed)
    assert row[8:] == ("queued", True, True)
    assert store.publisher.published == [(row[0], "C3D13FE58DE4C810")]
    assert [claim.wanted.file_name for claim in store.claim(row[0])] == ["HappyFace.jpg"]


@pytest.mark.parametrize(
    "name", ["put", "eventbridge", "sns", "sns_envelope", "minio", "ceph", "seaweedfs"]
)
def test_every_document_is_recorded_once(store: Store, name: str) -> None:
    document = recorded(f"s3/{name}")
    assert store(document) == {"recorded": 1, "again": 0, "known": 0}
    assert store(document) == {"recorded": 0, "again": 0, "known": 1}
    assert store.post(json.dumps(document))[:2] == (200, {"recorded": 0, "again": 0, "known": 1})
    assert store(of_queue(json.dumps(document))) == {"batchItemFailures": []}
    assert len(store.rows()) == len(store.publisher.published) == 1


def test_every_key_is_recorded_as_it_is(store: Store) -> None:
    document = {"Records": [s3(key)["Records"][0] for key in KEYS]}
    assert store(document)["recorded"] == len(KEYS)
    assert {name for name, _ in store.rows()} == set(KEYS)


def test_of_the_same_event_at_the_same_time_one_is_recorded(store: Store) -> None:
    with ThreadPoolExecutor(8) as threads:
        reports = list(threads.map(lambda _: store(recorded("s3/put")), range(16)))
    assert sum(report["recorded"] for report in reports) == 1
    assert len(store.rows()) == 1


def test_many_objects_of_one_event_are_recorded_in_portions(store: Store) -> None:
    [record] = s3()["Records"]
    records = []
    for number in range(1_100):
        records.append(copy.deepcopy(record))
        records[-1]["s3"]["object"]["key"] = f"{number}.jpg"
    assert store({"Records": records})["recorded"] == 1_100
    assert store({"Records": records})["known"] == 1_100


@pytest.mark.parametrize(
    "key",
    ["/a.jpg", "a//b.jpg", "../a", "a\\b", "a\x00b", ".incoming/a", "ü" * 128, "a/", "a%\ud800"],
)
def test_a_key_that_no_file_can_have_is_refused_visibly(
    store: Store,
    key: str,
    caplog: pytest.LogCaptureFixture,
    counted: Callable[[], dict[str, float]],
) -> None:
    document = recorded("s3/ceph")  # whose keys are not encoded
    document["Records"][0]["s3"]["object"]["key"] = key
    good = s3("good.jpg")["Records"]
    assert store({"Records": document["Records"] + good})["recorded"] == 1
    assert store.rows() == [("good.jpg", "queued")]
    [line] = [one for one in caplog.records if one.message == "object refused"]
    assert line.levelno == logging.ERROR
    assert line.__dict__["reason"].startswith("its name ")
    assert counted() == {"refused": 1, "recorded": 1}


def test_bytes_that_are_no_text_are_refused(store: Store) -> None:
    document = s3()
    document["Records"][0]["s3"]["object"]["key"] = "a%FFb"
    assert store(document)["recorded"] == 0
    assert store.rows() == []


def test_what_is_nothing_to_copy_is_ignored(
    store: Store, counted: Callable[[], dict[str, float]]
) -> None:
    for document in (
        s3("folder/", size=0),
        s3("a.jpg", "ObjectRemoved:Delete"),
        s3("a.jpg", "ObjectRemoved:DeleteMarkerCreated"),
        recorded("s3/test_event"),
    ):
        assert store(document) == {"recorded": 0, "again": 0, "known": 0}
    assert store.rows() == []
    assert counted() == {"ignored": 4}


def test_other_buckets_are_counted_and_logged_once_a_minute(
    store: Store, caplog: pytest.LogCaptureFixture, counted: Callable[[], dict[str, float]]
) -> None:
    other = recorded("s3/put")
    other["Records"][0]["s3"]["bucket"]["name"] = "another"
    for _ in range(5):
        assert store(other)["recorded"] == 0
    store.clock.now += 61
    store(other)
    lines = [one.__dict__ for one in caplog.records if one.message == "events ignored"]
    assert [(line["bucket"], line["count"]) for line in lines] == [
        ("another", 1),
        ("another", 4),
        ("another", 1),
    ]
    assert counted() == {"elsewhere": 6}
    assert store.rows() == []


def test_what_the_ledger_does_not_take_holds_nothing_up(store: Store) -> None:
    execute(store.url, "ALTER TABLE file_sync ADD CHECK (file_name <> 'bad.jpg')")
    keys = ["1.jpg", "2.jpg", "bad.jpg", "3.jpg"]
    document = {"Records": [s3(key)["Records"][0] for key in keys]}
    assert store(document)["recorded"] == 3
    assert {name for name, _ in store.rows()} == {"1.jpg", "2.jpg", "3.jpg"}


# A version that comes back


def test_the_first_content_again_is_fetched_again(store: Store) -> None:
    store.put(A, "first")
    store.put(B, "second")
    [(first,), (second,)] = store.rows("id")
    store.synced(first, A)
    store.synced(second, B)
    assert store.put(A, "third") == {"recorded": 0, "again": 1, "known": 0}
    assert store.rows() == [("a.jpg", "queued"), ("a.jpg", "synced")]
    assert store.actions() == [("fetch_again", "S3 event")]
    assert store.publisher.published[-1] == (first, "invocation")
    store.synced(first, A)
    assert store.put(A, "third")["known"] == 1  # delivered twice
    assert store.put(B, "fourth")["again"] == 1


@pytest.mark.parametrize("stored", [A, A.upper()])
def test_a_late_duplicate_changes_nothing(store: Store, stored: str) -> None:
    store.put(A, "first")
    [(row,)] = store.rows("id")
    store.synced(row, stored)
    for _ in range(3):
        assert store.put(A, "first")["known"] == 1
    assert store.rows() == [("a.jpg", "synced")]
    assert store.actions() == []


def test_a_version_that_another_copy_may_overwrite_is_fetched_again(store: Store) -> None:
    store.put(A, "first")
    store.put(B, "second")
    [(first,), (second,)] = store.rows("id")
    store.synced(first, A)
    assert store.put(A, "third")["known"] == 1  # the other one is fetched later than now
    assert len(store.claim(second)) == 1
    assert store.put(A, "third")["again"] == 1
    assert store.rows() == [("a.jpg", "queued"), ("a.jpg", "queued")]


def test_a_version_that_comes_back_while_it_is_fetched_is_fetched_once_more(
    store: Store,
) -> None:
    store.put(A, "first")
    [(first,)] = store.rows("id")
    assert store.put(A, "later")["known"] == 1  # it is not fetched yet
    assert len(store.claim(first)) == 1
    assert store.put(A, "first")["known"] == 1
    assert store.put(A, "later") == {"recorded": 0, "again": 1, "known": 0}
    assert store.put(A, "later") == {"recorded": 0, "again": 0, "known": 1}
    assert store.rows("request_id, state::text") == [("first", "queued"), ("later", "queued")]


@pytest.mark.parametrize("state", ["failed", "dismissed"])
def test_an_object_that_is_created_again_after_its_failure_is_retried(
    store: Store, state: str
) -> None:
    store.put(A, "first")
    [(row,)] = store.rows("id")
    store.failed(row, state)
    assert store.put(A, "second") == {"recorded": 0, "again": 1, "known": 0}
    assert store.rows("state::text, attempts - attempts_forgiven") == [("queued", 0)]
    restored = [("restore", "S3 event")] if state == "dismissed" else []
    assert store.actions() == [*restored, ("retry", "S3 event")]
    assert len(store.claim(row)) == 1


def test_without_an_etag_an_id_never_comes_back(store: Store) -> None:
    document = s3(eTag="", versionId="", sequencer="0A")
    assert store(document)["recorded"] == 1
    [(row,)] = store.rows("id")
    store.synced(row, B)
    assert store(document)["known"] == 1
    assert store(s3(eTag="", versionId="", sequencer="0B"))["recorded"] == 1


# The ledger is away


def test_without_the_ledger_an_invocation_fails_so_that_it_is_repeated(cut_off: Store) -> None:
    for name in ("put", "eventbridge", "sns"):
        with pytest.raises(LedgerUnavailable):
            cut_off(recorded(f"s3/{name}"))
    assert cut_off(recorded("s3/test_event"))["recorded"] == 0


def test_without_the_ledger_only_messages_with_something_to_record_return(
    cut_off: Store, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    other = recorded("s3/put")
    other["Records"][0]["s3"]["bucket"]["name"] = "another"
    batch = of_queue(
        json.dumps(recorded("s3/put")),
        "{",
        json.dumps(recorded("s3/test_event")),
        json.dumps(recorded("s3/sns_envelope")),
        json.dumps(other),
        "",
        json.dumps(recorded("s3/eventbridge")),
    )
    failed = cut_off(batch)["batchItemFailures"]
    assert failed == [{"itemIdentifier": f"message {n}"} for n in (0, 3, 6)]
    reasons = [r.__dict__["reason"] for r in caplog.records if r.message == "unreadable event"]
    assert reasons == ["not JSON at character 1", "the message has no body"]
    assert store(batch) == {"batchItemFailures": []}
    assert {name for name, _ in store.rows()} == {"HappyFace.jpg", "example-key"}


def test_without_the_ledger_a_store_is_asked_to_come_again(cut_off: Store) -> None:
    status, _, headers = cut_off.post(json.dumps(recorded("s3/minio")))
    assert (status, int(headers["retry-after"]) > 0) == (503, True)
    assert cut_off.post("")[0] == 200


# By HTTP


@pytest.mark.parametrize(
    "authorization",
    [
        bearer(),
        f"bearer   {SECRET.decode()} ",
        "Basic " + base64.b64encode(b"user:" + SECRET).decode(),
        "basic " + base64.b64encode(b":" + SECRET).decode(),
    ],
)
@pytest.mark.parametrize("path", ["/events/s3/", "/events/s3"])
def test_a_store_with_the_secret_is_heard(store: Store, authorization: str, path: str) -> None:
    answer = store.post(json.dumps(recorded("s3/ceph")), authorization, path)
    assert answer[:2] == (200, {"recorded": 1, "again": 0, "known": 0})
    assert store.post("", authorization)[0] == 200
    assert store.post("{}", authorization)[0] == 200
    assert store.rows() == [("my image+1%.jpg", "queued")]


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        " ",
        "Bearer",
        "Bearer ",
        bearer(SECRET[:-1]),
        bearer(SECRET + b"x"),
        SECRET.decode(),
        f"Token {SECRET.decode()}",
        "Bearer \udcff",
        "Basic",
        "Basic %",
        "Basic ü",
        "Basic " + base64.b64encode(SECRET + b":user").decode(),
        "Basic " + base64.b64encode(SECRET).decode(),
        "Basic " + base64.b64encode(b"user:").decode(),
        "Basic " + SECRET.decode(),
    ],
)
def test_without_the_secret_nothing_is_read(store: Store, authorization: str) -> None:
    status, body, headers = store.post(json.dumps(recorded("s3/minio")), authorization)
    assert (status, body) == (401, {"detail": "Missing or invalid secret"})
    assert headers["www-authenticate"].startswith("Bearer, Basic realm=")
    assert store.rows() == []


def test_guesses_are_limited_and_the_store_is_not(store: Store) -> None:
    statuses = [store.post("", "Bearer guess")[0] for _ in range(5)]
    assert statuses == [401, 401, 401, 412, 412]
    assert [store.post("")[0] for _ in range(9)] == [200] * 9


def test_without_a_secret_there_is_no_such_path() -> None:
    for path in ("/events/s3/", "/events/s3", "/events/s3/more"):
        answer = module.respond(None, http_event("{}", path=path))
        assert (answer["statusCode"], answer["body"]) == (404, '{"detail": "Not found"}')


def test_other_paths_and_methods_have_no_route(store: Store) -> None:
    assert store.post("", path="/events/s3/more")[0] == 404
    get = http_event()
    get["requestContext"]["http"]["method"] = "GET"
    answer = module.respond(store.endpoint, get)
    assert (answer["statusCode"], answer["headers"]["allow"]) == (405, "POST")


def test_a_body_may_be_larger_than_a_request_and_is_limited(store: Store) -> None:
    document = recorded("s3/seaweedfs")
    chunks = document["message"]["new_entry"]["chunks"]
    document["message"]["new_entry"]["chunks"] = chunks * 6_000
    body = json.dumps(document)
    assert 65_536 < len(body) <= EVENT_BYTES
    assert store.post(body)[0] == 200
    status, answer, _ = store.post(b" " * (EVENT_BYTES + 1))
    assert (status, answer) == (413, {"detail": "Request body too large"})


def test_what_cannot_be_read_has_a_reason_and_the_rest_is_recorded(
    store: Store, caplog: pytest.LogCaptureFixture, counted: Callable[[], dict[str, float]]
) -> None:
    document = s3("good.jpg")
    document["Records"].append({"eventName": "ObjectCreated:Put"})
    reason = "record 2: s3.object.key: expected a text, found nothing"
    assert store.post(json.dumps(document))[:2] == (
        400,
        {"detail": "Unreadable event", "reason": reason},
    )
    assert store.rows() == [("good.jpg", "queued")]
    assert store.post("{")[:2] == (
        400,
        {"detail": "Unreadable event", "reason": "not JSON at character 1"},
    )
    assert store(document)["known"] == 1  # no error: Lambda would bring it again
    lines = [one for one in caplog.records if one.message == "unreadable event"]
    assert [line.__dict__["reason"] for line in lines] == [
        reason,
        "not JSON at character 1",
        reason,
    ]
    assert counted() == {"unreadable": 3, "recorded": 1, "known": 1}


SCRIPT = """
import json, sys
from functions.s3_events.handler import handler, prepare

prepare()
print(json.dumps([handler(event, None) for event in json.load(sys.stdin)]))
"""


def test_the_handler_tells_events_apart(database_url: str) -> None:
    """In a process of its own, whose settings it reads."""
    minio = http_event(json.dumps(recorded("s3/minio")))
    events = [recorded("s3/put"), [recorded("s3/eventbridge")], recorded("s3/sqs"), minio]
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps(events),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        cwd=ROOT,
        env={
            "DATABASE_URL": database_url,
            "AWS_S3_BUCKET_NAME": BUCKET,
            "S3_EVENTS_SECRET": SECRET.decode(),
        },
    )
    first, second, third, fourth = json.loads(ended.stdout)
    assert (first["recorded"], second["recorded"], third) == (1, 1, {"batchItemFailures": []})
    assert (fourth["statusCode"], json.loads(fourth["body"])["recorded"]) == (200, 1)
    found = query(database_url, "SELECT file_name FROM file_sync WHERE due_at <= now() ORDER BY id")
    assert found == [("HappyFace.jpg",), ("example-key",), ("photos/a b.jpg",)]
