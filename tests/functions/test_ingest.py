from __future__ import annotations

import base64
import copy
import functools
import json
import logging
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from functions.ingest import handler as module
from functions.ingest.service import Config, Ingest
from functions.ingest.wiring import refusals
from shared.cache.interface import Cache
from shared.cache.memcached import MemcachedCache
from shared.cache.memory import MemoryCache
from shared.config.parsers import RateLimit
from shared.http.event import Request, Response
from shared.http.rate_limit import RateLimiter
from shared.http.signing import sign
from tests.helpers.events import recorded
from tests.helpers.fake_publisher import FakePublisher
from tests.helpers.roles import open_ledger, own_ledger
from tests.helpers.servers import connect, execute, free_port

EVENT = recorded("function_url")
KEY, PREVIOUS = b"the key", b"the key before"
OFF = RateLimit(0, 1)
MINUTE = 1_795_428_000.0
"""The beginning of a minute."""

VALID: dict[str, Any] = {
    "oeid": "8cfb655249106cf47fb493681d82ea",
    "ref_id": "6345307552152520612",
    "file_name": "65d9e6e87a533da87ebcdee4.jpg",
    "file_type": "image/jpeg",
}
CONFIG = Config(
    keys=(KEY, PREVIOUS),
    max_body_bytes=65_536,
    per_signature=OFF,
    per_client=OFF,
    unsigned=OFF,
    trusted_proxies=(),
    delivery_seconds=30.0,
)

PATIENCE = 30.0
"""Seconds for memcached, which on a busy machine may take longer than a request waits for it."""


class Clock:
    """A clock that only moves when a test sets it."""

    now = MINUTE

    def __call__(self) -> float:
        return self.now


class Service:
    """Ingest over a real ledger, and what a test asks of it."""

    def __init__(self, url: str, cache: Cache, clock: Clock) -> None:
        self.publisher = FakePublisher()
        self.clock = clock
        self._ledger = own_ledger(open_ledger(url), "ingest")
        self._url = url
        self._limiter = RateLimiter(cache, clock)
        self.set(CONFIG)

    def set(self, config: Config) -> None:
        self.ingest = Ingest(config, self._limiter, self._ledger, self.publisher)

    def __call__(self, event: dict[str, Any]) -> Response:
        [response] = module.answer_all(self.ingest, [Request.from_event(event)])
        if isinstance(response, Exception):
            raise response
        return response

    def rows(self) -> list[tuple[Any, ...]]:
        with closing(connect(self._url)) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT id, oeid, ref_id, file_name, file_type, payload_checksum, request_id,"
                " state FROM file_sync ORDER BY id"
            )
            return cursor.fetchall()

    def close(self) -> None:
        self._ledger.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(database_url: str, clock: Clock) -> Iterator[Service]:
    service = Service(database_url, MemoryCache(clock), clock)
    yield service
    service.close()


@pytest.fixture(params=["memory", "memcached"])
def limited(request: pytest.FixtureRequest, database_url: str, clock: Clock) -> Iterator[Service]:
    """The service over either cache."""
    if request.param == "memory":
        service = Service(database_url, MemoryCache(clock), clock)
        yield service
        service.close()
        return
    memcached = MemcachedCache(request.getfixturevalue("memcached_address"), timeout=PATIENCE)
    service = Service(database_url, memcached, clock)
    yield service
    service.close()
    memcached.close()


def event(
    body: bytes,
    authorization: str | None = None,
    *,
    key: bytes = KEY,
    peer: str = "203.0.113.7",
    **headers: str,
) -> dict[str, Any]:
    """Return the event of a POST, signed unless told how it is authorized."""
    made = copy.deepcopy(EVENT)
    made["headers"].pop("authorization")
    made["headers"]["authorization"] = sign(key, body) if authorization is None else authorization
    made["headers"] |= {name.replace("_", "-"): value for name, value in headers.items()}
    made["requestContext"]["http"]["sourceIp"] = peer
    made["requestContext"]["requestId"] = uuid.uuid4().hex
    made["body"] = base64.b64encode(body).decode()
    made["isBase64Encoded"] = True
    return made


def body(**changes: Any) -> bytes:
    return json.dumps({**VALID, **changes}).encode()


def detail(answer: Response) -> tuple[int, str]:
    document = json.loads(answer.body)
    return answer.status, document["detail"]


def reason(answer: Response) -> str:
    text: str = json.loads(answer.body)["reason"]
    assert text.isascii()
    assert text.isprintable()
    return text


def test_a_signed_request_is_recorded_and_published(service: Service) -> None:
    post = event(body())
    answer = service(post)
    assert (answer.status, answer.body) == (201, b'{"detail": "Object queued for sync"}')
    assert answer.headers == {
        "content-type": "application/json",
        "location": f"/sync/{sign(KEY, body())}/",
    }
    row = service.rows()[0]
    request_id = post["requestContext"]["requestId"]
    assert row[1:5] == tuple(VALID.values())
    assert bytes(row[5]).hex() == sign(KEY, body())
    assert row[6:] == (request_id, "queued")
    assert service.publisher.published == [(row[0], request_id)]


def test_a_plain_body_and_a_base64_body_are_the_same(service: Service) -> None:
    plain = event(body())
    plain |= {"body": body().decode(), "isBase64Encoded": False}
    assert service(plain).status == 201
    assert service(event(body())).status == 409


def test_no_content_type_is_needed(service: Service) -> None:
    post = event(body())
    del post["headers"]["content-type"]
    assert service(post).status == 201


def test_the_key_before_is_accepted_too(service: Service) -> None:
    assert service(event(body(), key=PREVIOUS)).status == 201


@pytest.mark.parametrize("length", [1, 36, 255])
def test_fields_of_every_allowed_length_are_recorded(service: Service, length: int) -> None:
    text = "日" * length if length < 86 else "x" * length
    assert service(event(body(oeid=text, ref_id=text, file_name=text))).status == 201
    assert service.rows()[0][1:4] == (text, text, text)


def test_the_largest_body_is_accepted_and_one_byte_more_is_not(service: Service) -> None:
    largest = body(more="")
    largest = body(more="x" * (65_536 - len(largest)))
    assert service(event(largest)).status == 201
    answer = service(event(largest + b" "))
    assert detail(answer) == (413, "Request body too large")
    assert reason(answer) == "the limit is 65536 bytes"
    assert len(service.rows()) == 1


@pytest.mark.parametrize("authorization", ["", " ", None])
def test_a_missing_signature_is_401(service: Service, authorization: str | None) -> None:
    post = event(body(), authorization or "")
    if authorization is None:
        del post["headers"]["authorization"]
    answer = service(post)
    assert detail(answer) == (401, "Missing/empty Authorization header")
    missing = authorization is None
    assert reason(answer) == (
        "the request has no Authorization header"
        if missing
        else "the Authorization header is empty"
    )
    assert service.rows() == []


RIGHT = sign(KEY, body())


MALFORMED_SIGNATURE = "expected 64 lower-case hex digits"
MISMATCH = "the signature is of other bytes or by another key: sign exactly the bytes that are sent"
WRONG_SIGNATURES = [
    "not hex",
    "z" * 64,
    "ü" * 64,
    "\udcff" * 64,
    RIGHT[:63],
    RIGHT + "0",
    RIGHT.upper(),
    f"HMAC {RIGHT}",
    f"{RIGHT},{RIGHT}",
    sign(b"another key", body()),
    sign(b"", body()),
    "x" * 100_000,
]


def test_a_wrong_signature_is_401_whatever_is_wrong(service: Service) -> None:
    for authorization in WRONG_SIGNATURES:
        answer = service(event(body(), authorization))
        assert detail(answer) == (401, "Invalid HMAC signature hash"), authorization[:20]
        well_formed = re.fullmatch("[0-9a-f]{64}", authorization)
        assert reason(answer) == (MISMATCH if well_formed else MALFORMED_SIGNATURE)
        assert answer.headers["www-authenticate"] == "HMAC-SHA256"
    assert service.rows() == []


MALFORMED = [
    b"",
    b"not json",
    b"null",
    b"[]",
    b'"text"',
    b"17",
    b"{",
    b'{"oeid": "a", "oeid": "b"}',
    b'{"oeid": "\xff"}',
    b'{"more": NaN}',
    b"[" * 60_000,
    b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    b'{"more": ' + b"9" * 60_000 + b"}",
    body().decode().encode("utf-16"),
]
INVALID: list[tuple[dict[str, Any], str]] = [
    ({"oeid": 1}, "oeid"),
    ({"ref_id": None}, "ref_id"),
    ({"file_name": ["a"]}, "file_name"),
    ({"file_type": {"a": "b"}}, "file_type"),
    ({"oeid": True}, "oeid"),
    ({"oeid": ""}, "oeid"),
    ({"oeid": "x" * 256}, "oeid"),
    ({"ref_id": "x" * 256}, "ref_id"),
    ({"file_type": "x/" + "y" * 254}, "file_type"),
    ({"oeid": "a\x00b"}, "oeid"),
    ({"oeid": "\ud800"}, "oeid"),
    ({"file_type": "jpeg"}, "file_type"),
    *(
        ({"file_name": name}, "file_name")
        for name in (
            "",
            "/etc/passwd",
            "..",
            "../a",
            "a/../b",
            ".",
            "a/./b",
            "a//b",
            "a/",
            "a\\b",
            "a\x00b",
            "a\nb",
            "a\x7f",
            "x" * 256,
            "/".join(["x" * 255] * 5),
            ".incoming/1.1.part",
            "\ud800",
        )
    ),
]


def test_a_signed_body_that_is_no_json_object_is_400(service: Service) -> None:
    for text in MALFORMED:
        answer = service(event(text))
        assert detail(answer) == (400, "Malformed JSON data"), text[:20]
        assert 5 < len(reason(answer)) < 120, text[:20]
    assert service.rows() == []
    assert service.publisher.published == []


def test_a_wrong_field_is_400_and_named(service: Service) -> None:
    for changes, field in INVALID:
        answer = service(event(body(**changes)))
        assert detail(answer) == (400, "Invalid JSON data"), changes
        document = json.loads(answer.body)
        assert list(document) == ["detail", "reason", "errors"]
        assert reason(answer).startswith(f"{field}: ")
        assert [error["field"] for error in document["errors"]] == [field]
        assert all(error["reason"] for error in document["errors"])
    assert service.rows() == []
    assert service.publisher.published == []


def test_missing_fields_are_all_named(service: Service) -> None:
    document = json.loads(service(event(b"{}")).body)
    assert [error["field"] for error in document["errors"]] == list(VALID)


def test_the_same_request_again_is_409_whatever_became_of_the_first(
    service: Service, database_url: str
) -> None:
    assert service(event(body())).status == 201
    for state in ("state = 'failed', last_error = 'no'", "state = 'queued'"):
        with closing(connect(database_url)) as connection, connection.cursor() as cursor:
            cursor.execute(f"UPDATE file_sync SET {state}")
            connection.commit()
        answer = service(event(body()))
        assert (answer.status, answer.body) == (409, b'{"detail": "Object already exists"}')
        assert answer.headers["location"] == f"/sync/{sign(KEY, body())}/"
    assert len(service.rows()) == 1
    assert len(service.publisher.published) == 1


def test_requests_without_an_id_are_told_apart(service: Service) -> None:
    posts = [event(body()) for _ in range(2)]
    for post in posts:
        del post["requestContext"]["requestId"]
    assert [service(post).status for post in posts] == [201, 409]


def test_of_fifty_identical_requests_at_once_one_is_accepted(service: Service) -> None:
    barrier = threading.Barrier(50, timeout=30)

    def send(_: int) -> int:
        barrier.wait()
        return service(event(body())).status

    with ThreadPoolExecutor(50) as threads:
        statuses = sorted(threads.map(send, range(50)))
    assert statuses == [201] + [409] * 49
    assert len(service.rows()) == 1
    assert len(service.publisher.published) == 1


def test_a_row_that_postgresql_refuses_is_400_and_harms_no_other(
    service: Service, database_url: str
) -> None:
    execute(database_url, "ALTER TABLE file_sync ADD CONSTRAINT own CHECK (oeid NOT LIKE 'bad%')")
    barrier = threading.Barrier(40, timeout=30)

    def send(number: int) -> Response:
        barrier.wait()
        return service(event(body(oeid=f"{'bad' if number % 8 == 0 else 'good'} {number}")))

    with ThreadPoolExecutor(40) as threads:
        answers = list(threads.map(send, range(40)))
    assert [answer.status for answer in answers] == [
        400 if number % 8 == 0 else 201 for number in range(40)
    ]
    document = json.loads(answers[0].body)
    assert document["detail"] == "Invalid JSON data"
    assert 'violates check constraint "own"' in document["errors"][0]["reason"]
    assert len(service.rows()) == 35


def test_the_checks_come_in_the_order_of_the_contract(limited: Service) -> None:
    once = RateLimit(1, 60)
    limited.set(replace(CONFIG, per_client=once, max_body_bytes=500))
    huge = b"x" * 501
    assert limited(event(body())).status == 201
    # Over the limit, without a signature, and too large all at once; then one fault fewer a time.
    assert limited(event(huge, "")).status == 413
    assert limited(event(b"not json", "")).status == 401
    assert limited(event(b"not json")).status == 412
    limited.set(CONFIG)
    assert limited(event(b"not json")).status == 400
    assert limited(event(body(), "wrong")).status == 401
    assert limited(event(body())).status == 409


def test_a_replay_storm_is_412_with_the_time_to_wait(limited: Service) -> None:
    limited.clock.now = MINUTE + 10
    limited.set(replace(CONFIG, per_signature=RateLimit(50, 60)))
    statuses = [limited(event(body())).status for _ in range(50)]
    assert statuses == [201] + [409] * 49
    answer = limited(event(body()))
    assert (answer.status, answer.body) == (412, b'{"detail": "Too many requests"}')
    assert answer.headers["retry-after"] == "52"
    assert limited(event(body(oeid="another"))).status == 201
    assert limited(event(body(), peer="203.0.113.8")).status == 409
    limited.clock.now += 52
    assert limited(event(body())).status == 409


def test_refused_requests_do_not_count(limited: Service) -> None:
    limited.set(replace(CONFIG, per_client=RateLimit(2, 60)))
    statuses = [limited(event(body(oeid=str(n)))).status for n in range(8)]
    assert statuses == [201, 201] + [412] * 6
    limited.clock.now = MINUTE + 91
    assert limited(event(body(oeid="3"))).status == 201


def test_one_client_s_limit_is_no_other_s(limited: Service) -> None:
    limited.set(replace(CONFIG, per_client=RateLimit(1, 60)))
    assert limited(event(body(oeid="1"))).status == 201
    assert limited(event(body(oeid="2"))).status == 412
    assert limited(event(body(oeid="3"), peer="203.0.113.8")).status == 201


def test_too_many_wrong_signatures_are_412_and_harm_no_signed_request(limited: Service) -> None:
    limited.set(replace(CONFIG, unsigned=RateLimit(2, 60), per_client=RateLimit(1, 60)))
    assert [limited(event(body(), "wrong")).status for _ in range(2)] == [401, 401]
    answer = limited(event(body(), ""))
    assert detail(answer) == (412, "Too many requests")
    assert int(answer.headers["retry-after"]) > 0
    assert limited(event(body())).status == 201


def test_forwarded_addresses_count_only_from_trusted_proxies(limited: Service) -> None:
    once = RateLimit(1, 60)
    post = functools.partial(event, peer="10.0.0.2")
    limited.set(replace(CONFIG, per_client=once))
    assert limited(post(body(oeid="1"), x_forwarded_for="1.1.1.1")).status == 201
    assert limited(post(body(oeid="2"), x_forwarded_for="2.2.2.2")).status == 412
    limited.set(replace(CONFIG, per_client=once, trusted_proxies=[ip_network("10.0.0.0/8")]))
    assert limited(post(body(oeid="3"), x_forwarded_for="9.9.9.9, 3.3.3.3")).status == 201
    assert limited(post(body(oeid="4"), x_forwarded_for="8.8.8.8, 3.3.3.3")).status == 412
    assert limited(post(body(oeid="5"), x_forwarded_for="4.4.4.4")).status == 201


def test_without_a_cache_nothing_but_the_limits_is_lost(database_url: str, clock: Clock) -> None:
    service = Service(database_url, MemcachedCache(("127.0.0.1", free_port())), clock)
    service.set(replace(CONFIG, per_client=RateLimit(1, 60), unsigned=RateLimit(1, 60)))
    assert service(event(body())).status == 201
    assert [service(event(body())).status for _ in range(3)] == [409] * 3
    assert [service(event(body(), "wrong")).status for _ in range(3)] == [401] * 3
    assert service(event(b"{}")).status == 400
    service.close()


def test_without_a_ledger_nothing_is_accepted(clock: Clock) -> None:
    url = f"postgresql://sync@127.0.0.1:{free_port()}/sync"
    service = Service(url, MemoryCache(clock), clock)
    answer = service(event(body()))
    assert detail(answer) == (503, "Service unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert service.publisher.published == []
    # What needs no ledger is answered as ever.
    assert service(event(b"{}")).status == 400
    assert service(event(body(), "")).status == 401


def test_requests_that_come_together_are_answered_as_if_each_came_alone(
    service: Service,
) -> None:
    nowhere = event(body())
    nowhere["rawPath"] = "/nothing"
    events = [
        event(body(oeid="first")),
        event(body(oeid="wrong"), "0" * 64),
        event(body(oeid="again")),
        event(body(oeid="again")),
        event(b"{}"),
        nowhere,
        event(body(oeid="nul", ref_id="\0")),
        event(body(oeid="last")),
    ]
    answers = module.respond_all(service.ingest, events)
    found = [answer["statusCode"] for answer in answers if not isinstance(answer, Exception)]
    assert found == [201, 401, 201, 409, 400, 404, 400, 201]
    for answer, asked in zip(answers, events, strict=True):
        assert not isinstance(answer, Exception)
        assert answer["headers"]["x-request-id"] == asked["requestContext"]["requestId"]
    assert sorted(row[1] for row in service.rows()) == ["again", "first", "last"]
    assert len(service.publisher.published) == 3


def test_requests_that_come_together_count_one_by_one(limited: Service) -> None:
    limited.set(replace(CONFIG, per_client=RateLimit(3, 60)))
    events = [event(body(oeid=str(number))) for number in range(5)]
    answers = [a for a in module.respond_all(limited.ingest, events) if isinstance(a, dict)]
    assert [answer["statusCode"] for answer in answers] == [201, 201, 201, 412, 412]


@pytest.fixture
def process(service: Service) -> Callable[..., Any]:
    """The handler with a service of the test's own."""
    return functools.partial(module.respond, service.ingest)


def test_the_handler_answers_an_event_with_an_event(process: Callable[..., Any]) -> None:
    post = event(body())
    request_id = post["requestContext"]["requestId"]
    assert process(post) == {
        "statusCode": 201,
        "headers": {
            "content-type": "application/json",
            "location": f"/sync/{sign(KEY, body())}/",
            "x-request-id": request_id,
        },
        "body": '{"detail": "Object queued for sync"}',
        "isBase64Encoded": False,
    }


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/sync/", 405),
        ("DELETE", "/sync", 405),
        ("POST", "/", 404),
        ("POST", "/x", 404),
        ("POST", "/sync/x/", 404),
    ],
)
def test_the_handler_has_its_own_routes_only(
    process: Callable[..., Any], method: str, path: str, status: int
) -> None:
    made = event(body())
    made["rawPath"] = path
    made["requestContext"]["http"]["method"] = method
    answer = process(made)
    assert answer["statusCode"] == status
    assert answer["headers"].get("allow") == ("POST" if status == 405 else None)


def test_what_became_of_a_request_is_another_functions_to_tell(process: Callable[..., Any]) -> None:
    made = event(body())
    made["rawPath"] = f"/sync/{RIGHT}/"
    answer = process(made)
    assert (answer["statusCode"], answer["headers"]["allow"]) == (405, "GET, HEAD")


def test_a_multipart_body_is_called_by_its_name(service: Service) -> None:
    answer = service(event(b"file", content_type="multipart/form-data; boundary=x"))
    assert detail(answer) == (400, "Malformed JSON data")
    assert reason(answer) == "the body is multipart: send a JSON object alone"


def test_log_lines_of_refusals_have_the_reason(
    process: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "functions.ingest")
    refusals().close()
    process(event(b'{"oeid": "1",}', peer="203.0.113.99"))
    refusals().close()
    (line,) = [r for r in caplog.records if getattr(r, "client", "") == "203.0.113.99"]
    assert line.__dict__["reason"] == "Malformed JSON data: line 1, column 13: a comma too many"
