"""`GET /sync/<signature>/`, over a real ledger, with the requests as ingest records them."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from ipaddress import ip_network
from typing import Any

import pytest

from functions.stats import handler as module
from functions.stats.request_status import pause
from functions.stats.service import Config, Stats
from shared.cache.memory import MemoryCache
from shared.config.parsers import RateLimit
from shared.domain import Fetched
from shared.ledger.ledger import Ledger
from shared.ledger.lookup import RequestStatus
from shared.ledger.rows import NewObject, Outcome, Settlement, State
from tests.helpers.events import recorded
from tests.helpers.servers import execute, free_port

EVENT = recorded("function_url")
OFF = RateLimit(0, 1)
NETWORKS = [ip_network("10.0.0.0/8")]
SIGNATURE = hashlib.sha256(b"a request").digest()
ADDRESS = f"/sync/{SIGNATURE.hex()}/"
COPY = Fetched(size=5, sha256=hashlib.sha256(b"bytes").digest(), etag="e1", verified_by="md5")
NOT_FOUND = {
    "statusCode": 404,
    "headers": {"content-type": "application/json", "x-request-id": "order-17"},
    "body": '{"detail": "Not found"}',
    "isBase64Encoded": False,
}
NAMES = [
    "state",
    "attempts",
    "next_attempt_at",
    "reason",
    "size_bytes",
    "sha256",
    "verified_by",
    "created_at",
    "synced_at",
    "failed_at",
    "request_id",
]


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    ledger = Ledger.at(database_url)
    yield ledger
    ledger.close()


@pytest.fixture
def stats(ledger: Ledger) -> Stats:
    return Stats(Config(OFF, NETWORKS, lookups=OFF), MemoryCache(), ledger)


def asked(path: str, query: str = "", method: str = "GET") -> dict[str, Any]:
    made = copy.deepcopy(EVENT)
    made |= {"rawPath": path, "rawQueryString": query, "body": None}
    made["requestContext"]["http"] |= {"method": method, "sourceIp": "10.0.0.2"}
    made["requestContext"]["requestId"] = f"id-of-{path}"
    return made


def ask(stats: Stats, path: str = ADDRESS, method: str = "GET", **headers: str) -> dict[str, Any]:
    made = asked(path, method=method)
    made["requestContext"]["requestId"] = "order-17"
    made["headers"] = {name.replace("_", "-"): value for name, value in headers.items()}
    return module.respond(stats, made)


def statuses(stats: Stats, *events: dict[str, Any]) -> list[int | None]:
    """Return the status of each answer; all requests came at the same time."""
    answers = module.respond_all(stats, events)
    for answer, event in zip(answers, events, strict=True):
        if isinstance(answer, dict):
            own = event["requestContext"]["requestId"]
            assert answer["headers"]["x-request-id"] == own
    return [answer["statusCode"] if isinstance(answer, dict) else None for answer in answers]


def told(answer: dict[str, Any]) -> dict[str, Any]:
    assert answer["statusCode"] == 200
    assert answer["headers"]["content-type"] == "application/json"
    assert answer["headers"]["cache-control"] == "private, no-cache"
    document: dict[str, Any] = json.loads(answer["body"])
    assert list(document) == NAMES
    for name in ("created_at", "synced_at", "failed_at", "next_attempt_at"):
        if document[name] is not None:
            assert datetime.fromisoformat(document[name]).utcoffset() is not None
    return document


def record(ledger: Ledger, signature: bytes = SIGNATURE) -> int:
    row_id = ledger.record(NewObject("o", "r", "a.jpg", "image/jpeg", signature, "request-1"), 0)
    assert row_id is not None
    return row_id


def attempt(ledger: Ledger, row_id: int, outcome: Outcome, **more: Any) -> None:
    (claim,) = ledger.claim([row_id], lease_seconds=60.0, max_attempts=8)
    ledger.settle([Settlement(claim, outcome, **more)])


def test_a_poller_follows_its_request_to_the_file(stats: Stats, ledger: Ledger) -> None:
    row_id = record(ledger)
    answer = ask(stats)
    queued = told(answer)
    assert (queued["state"], queued["attempts"], queued["request_id"]) == ("queued", 0, "request-1")
    assert queued["next_attempt_at"] is queued["sha256"] is queued["reason"] is None
    assert answer["headers"]["retry-after"] == "1"
    etag = answer["headers"]["etag"]
    assert etag[0] == etag[-1] == '"'

    again = ask(stats, if_none_match=etag)
    assert (again["statusCode"], again["body"]) == (304, "")
    assert again["headers"] == {
        "cache-control": "private, no-cache",
        "etag": etag,
        "retry-after": "1",
        "x-request-id": "order-17",
    }

    attempt(ledger, row_id, Outcome.RETRY, reason="SlowDown", delay=30.0)
    answer = ask(stats, if_none_match=etag)
    retrying = told(answer)
    assert (retrying["state"], retrying["attempts"]) == ("retrying", 1)
    assert retrying["reason"] == "SlowDown"
    assert datetime.fromisoformat(retrying["next_attempt_at"]) > datetime.now(UTC)
    assert 25 <= int(answer["headers"]["retry-after"]) <= 30

    ledger.bring_forward(0)
    attempt(ledger, row_id, Outcome.SYNCED, fetched=COPY)
    answer = ask(stats, if_none_match=f'{etag}, W/"other"')
    synced = told(answer)
    assert (synced["state"], synced["attempts"], synced["reason"]) == ("synced", 2, None)
    assert (synced["size_bytes"], synced["sha256"]) == (5, COPY.sha256.hex())
    assert synced["verified_by"] == "md5"
    assert synced["synced_at"] > synced["created_at"]
    assert synced["next_attempt_at"] is synced["failed_at"] is None
    assert "retry-after" not in answer["headers"]
    for condition in (answer["headers"]["etag"], f"W/{answer['headers']['etag']}", "*"):
        assert ask(stats, if_none_match=condition)["statusCode"] == 304


def test_a_failure_is_told_with_its_reason(stats: Stats, ledger: Ledger, database_url: str) -> None:
    reason = "The object does not exist: 404 NoSuchKey é"
    attempt(ledger, record(ledger), Outcome.FAILED, reason=reason)
    answer = ask(stats)
    failed = told(answer)
    assert (failed["state"], failed["reason"]) == ("failed", reason)
    assert failed["failed_at"] >= failed["created_at"]
    assert "retry-after" not in answer["headers"]
    execute(database_url, "UPDATE file_sync SET state = 'dismissed'")
    dismissed = told(ask(stats))
    assert dismissed == failed | {"state": "dismissed"}


def test_an_address_answers_with_and_without_its_slash(stats: Stats, ledger: Ledger) -> None:
    record(ledger)
    assert told(ask(stats, ADDRESS.removesuffix("/"))) == told(ask(stats, ADDRESS))


def test_head_is_answered_like_get(stats: Stats, ledger: Ledger) -> None:
    record(ledger)
    head = ask(stats, method="HEAD")
    assert head["statusCode"] == 200
    assert head["headers"] == ask(stats)["headers"]
    assert ask(stats, method="HEAD", if_none_match="*")["statusCode"] == 304


def test_no_other_method_is_allowed_whether_the_request_exists_or_not(
    stats: Stats, ledger: Ledger
) -> None:
    record(ledger)
    for path in (ADDRESS, f"/sync/{'0' * 64}/"):
        answer = ask(stats, path, method="DELETE")
        assert (answer["statusCode"], answer["headers"]["allow"]) == (405, "GET, HEAD")
        assert answer["body"] == '{"detail": "Method not allowed"}'


def test_whatever_else_is_asked_for_is_not_found_in_one_and_the_same_way(
    stats: Stats, ledger: Ledger, database_url: str
) -> None:
    record(ledger)
    computed = hashlib.sha256(b"bucket and key").hexdigest()
    execute(
        database_url,
        "INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id,"
        f" origin) VALUES ('', '', 'a', 't/t', '\\x{computed}', 'r', 'reconcile')",
    )
    signature = SIGNATURE.hex()
    for path in (
        "/nowhere",
        f"/sync/{'0' * 64}/",
        f"/sync/{computed}/",
        f"/sync/{computed}",
        f"/sync/{signature.upper()}/",
        f"/sync/{signature[:63]}/",
        f"/sync/{signature}0/",
        f"/sync/{signature}//",
        f"/sync/{signature}/more",
        f"/sync/%20{signature}/",
        f"/sync/{signature}%0A",
        f"/sync/{signature}%00/",
        f"/sync//{signature}/",
        "/sync/*/",
        "/sync/1/",
    ):
        for method in ("GET", "HEAD"):
            assert ask(stats, path, method) == NOT_FOUND, path


def limited(ledger: Ledger, lookups: RateLimit, unknown: RateLimit) -> Stats:
    return Stats(Config(unknown, NETWORKS, lookups=lookups), MemoryCache(), ledger)


def test_look_ups_have_the_limit_of_a_client_that_polls(ledger: Ledger) -> None:
    record(ledger)
    stats = limited(ledger, RateLimit(3, 3600), RateLimit(1, 3600))
    answers = [ask(stats, x_forwarded_for="1.1.1.1") for _ in range(4)]
    assert [answer["statusCode"] for answer in answers] == [200, 200, 200, 412]
    assert answers[3]["body"] == '{"detail": "Too many requests"}'
    assert int(answers[3]["headers"]["retry-after"]) > 0
    assert ask(stats, x_forwarded_for="2.2.2.2")["statusCode"] == 200
    # Each kind of question has a limit of its own.
    assert ask(stats, "/sync/", x_forwarded_for="1.1.1.1")["statusCode"] == 200


def test_look_ups_in_vain_are_few(ledger: Ledger) -> None:
    record(ledger)
    stats = limited(ledger, RateLimit(90, 3600), RateLimit(3, 3600))
    guesses = [
        ask(stats, f"/sync/{number:064x}/", x_forwarded_for="1.1.1.1") for number in range(5)
    ]
    assert [answer["statusCode"] for answer in guesses] == [404, 404, 404, 412, 412]
    assert int(guesses[3]["headers"]["retry-after"]) > 0
    # Neither the client's own requests nor its counts pay for it.
    assert ask(stats, x_forwarded_for="1.1.1.1")["statusCode"] == 200
    assert ask(stats, "/sync/", x_forwarded_for="1.1.1.1")["statusCode"] == 200


def test_a_limit_is_answered_as_set(ledger: Ledger) -> None:
    config = Config(OFF, NETWORKS, HTTPStatus.TOO_MANY_REQUESTS, lookups=RateLimit(1, 3600))
    stats = Stats(config, MemoryCache(), ledger)
    assert [ask(stats)["statusCode"] for _ in range(2)] == [404, 429]


def test_without_a_ledger_it_is_503() -> None:
    lost = Ledger.at(f"postgresql://sync@127.0.0.1:{free_port()}/sync")
    answer = ask(Stats(Config(OFF, []), MemoryCache(), lost))
    assert (answer["statusCode"], answer["body"]) == (503, '{"detail": "Service unavailable"}')
    assert int(answer["headers"]["retry-after"]) > 0


WAITS = RequestStatus(
    request_id="r",
    state=State.QUEUED,
    retrying=False,
    attempts=0,
    next_attempt_at=None,
    reason=None,
    size_bytes=None,
    sha256=None,
    verified_by=None,
    created_at=datetime.now(UTC),
    synced_at=None,
    failed_at=None,
    seconds_until=0.0,
    seconds_waited=0.0,
)


@pytest.mark.parametrize(
    ("state", "until", "waited", "seconds"),
    [
        (State.QUEUED, 0.0, 0.1, 1),
        (State.QUEUED, 0.0, 100.0, 10),
        (State.QUEUED, 0.0, 10_800.0, 60),
        (State.QUEUED, 12.3, 20.0, 13),
        (State.QUEUED, 480.0, 20.0, 60),
        (State.SYNCED, 0.0, 0.0, None),
        (State.FAILED, 0.0, 0.0, None),
        (State.DISMISSED, 0.0, 0.0, None),
    ],
)
def test_a_poller_is_told_when_to_look_again(
    state: State, until: float, waited: float, seconds: int | None
) -> None:
    status = dataclasses.replace(WAITS, state=state, seconds_until=until, seconds_waited=waited)
    assert pause(status) == seconds


def test_the_first_page_leads_to_the_others(stats: Stats) -> None:
    answer = ask(stats, "/")
    assert answer["statusCode"] == 200
    assert answer["headers"]["content-type"] == "text/html; charset=utf-8"
    policy = answer["headers"]["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for path in ("/openapi.json", "/admin/", "/status.html"):
        assert f'href="{path}"' in answer["body"]
    page = answer["body"]
    assert '<html lang="en">' in page
    assert "<title>" in page
    foreign = ("<script", "<style", "<img", "<link", "style=", "://")
    assert [part for part in foreign if part in page] == []
    refused = ask(stats, "/", method="POST")
    assert (refused["statusCode"], refused["headers"]["allow"]) == (405, "GET, HEAD")


def test_requests_that_come_together_are_answered_as_if_each_came_alone(
    stats: Stats, ledger: Ledger
) -> None:
    ledger.record(NewObject("o", "r", "a.jpg", "image/jpeg", SIGNATURE, "request-1"), 0)
    events = [
        asked(ADDRESS),
        asked("/sync/"),
        asked(f"/sync/{'0' * 64}/"),
        asked("/sync/", "detail=1"),
        asked("/nothing"),
        asked("/sync"),
        asked("/livez"),
        asked(ADDRESS),
    ]
    assert statuses(stats, *events) == [200, 200, 404, 200, 404, 200, 200, 200]
    answers = module.respond_all(stats, events)
    bodies = [answer["body"] for answer in answers if isinstance(answer, dict)]
    assert bodies[0] == bodies[7] == ask(stats)["body"]
    assert json.loads(bodies[1]) == {"synced_objects_count": 0, "queued_objects_count": 1}


def test_requests_that_come_together_count_one_by_one(ledger: Ledger) -> None:
    ledger.record(NewObject("o", "r", "a.jpg", "image/jpeg", SIGNATURE, "request-1"), 0)
    limited = Stats(
        Config(RateLimit(2, 60), NETWORKS, lookups=RateLimit(4, 60)), MemoryCache(), ledger
    )
    unknown = f"/sync/{'0' * 64}/"
    looked_up = [ADDRESS, unknown, unknown, unknown, ADDRESS, ADDRESS]
    assert statuses(limited, *map(asked, looked_up)) == [200, 404, 404, 412, 412, 412]
    assert statuses(limited, *[asked("/sync/")] * 3) == [200, 200, 412]


def test_without_postgresql_each_of_several_is_told_so() -> None:
    lost = Ledger.at(f"postgresql://sync@127.0.0.1:{free_port()}/sync")
    stats = Stats(Config(OFF, NETWORKS, lookups=OFF), MemoryCache(), lost)
    events = [asked(ADDRESS), asked("/sync/"), asked("/livez"), asked("/sync/")]
    assert statuses(stats, *events) == [503, 503, 200, 503]
