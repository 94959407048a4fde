from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import datetime
from http import HTTPStatus
from ipaddress import ip_network
from typing import Any

import pytest

from functions.stats import handler as module
from functions.stats.service import Config, Stats
from shared.cache.memcached import MemcachedCache
from shared.cache.memory import MemoryCache
from shared.config.parsers import RateLimit
from shared.http.event import Request, Response
from shared.ledger.database import Database
from shared.ledger.heartbeats import SCHEDULER, WORKER
from shared.ledger.ledger import QUERIES, Ledger
from shared.threads import SupervisedThread
from tests.helpers.events import recorded
from tests.helpers.roles import open_ledger, own_ledger
from tests.helpers.servers import execute, free_port
from tests.helpers.waiting import until

EVENT = recorded("function_url")
OFF = RateLimit(0, 1)
NETWORKS = [ip_network("10.0.0.0/8")]
INSERT = """
INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id, state,
                       last_error, synced_at, file_path, size_bytes, sha256, queued_at)
SELECT 'o', 'r', 'n' || n, 't/t', sha256(n::text::bytea), n::text,
       (CASE WHEN n <= 3 THEN 'synced' WHEN n <= 5 THEN 'queued' ELSE 'failed' END)::sync_state,
       'no', CASE WHEN n <= 3 THEN now() END, 'n', CASE WHEN n <= 3 THEN 100 END, '',
       now() - interval '1 hour'
  FROM generate_series(1, 9) AS n
"""
CALLBACK = """
INSERT INTO callback (file_sync_id, name_key, event, data)
SELECT min(id), 1, 'object.synced', '{}' FROM file_sync
"""


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    ledger = open_ledger(database_url)
    yield ledger
    ledger.close()


@pytest.fixture
def stats(ledger: Ledger) -> Stats:
    return Stats(Config(OFF, NETWORKS), MemoryCache(), own_ledger(ledger, "stats"))


@pytest.fixture
def lost() -> Ledger:
    return Ledger.at(f"postgresql://sync@127.0.0.1:{free_port()}/sync")


def event(path: str = "/sync/", query: str = "", method: str = "GET", **headers: str) -> Any:
    made = copy.deepcopy(EVENT)
    made |= {"rawPath": path, "rawQueryString": query, "body": None}
    made["requestContext"]["http"] |= {"method": method, "sourceIp": "10.0.0.2"}
    made["headers"] = {name.replace("_", "-"): value for name, value in headers.items()}
    return made


def get(stats: Stats, path: str = "/sync/", query: str = "", **headers: str) -> Response:
    [answer] = module.answer_all(stats, [Request.from_event(event(path, query, **headers))])
    assert isinstance(answer, Response)
    return answer


def test_an_empty_ledger_counts_nothing(stats: Stats) -> None:
    answer = get(stats)
    assert (answer.status, answer.body) == (
        200,
        b'{"synced_objects_count": 0, "queued_objects_count": 0}',
    )
    assert answer.headers["cache-control"] == "no-store"


def test_failed_objects_count_among_the_queued(stats: Stats, database_url: str) -> None:
    execute(database_url, INSERT)
    assert json.loads(get(stats).body) == {"synced_objects_count": 3, "queued_objects_count": 6}


@pytest.mark.parametrize("query", ["detail=1", "detail=yes"])
def test_detail_tells_more(stats: Stats, database_url: str, query: str) -> None:
    assert json.loads(get(stats, query=query).body)["oldest_queued_seconds"] is None
    execute(database_url, INSERT)
    document = json.loads(get(stats, query=query).body)
    assert 3600 <= document.pop("oldest_queued_seconds") < 3700
    assert document == {
        "synced_objects_count": 3,
        "queued_objects_count": 6,
        "failed_objects_count": 4,
        "bytes_stored": 300,
    }


def test_detail_names_what_is_paused_without_the_machine(stats: Stats, ledger: Ledger) -> None:
    ledger.pauses.open("storage:host-7", "The local storage is full")
    answer = get(stats, query="detail=1")
    (paused,) = json.loads(answer.body)["paused"]
    assert datetime.fromisoformat(paused.pop("since")).tzinfo is not None
    assert paused == {"part": "storage", "reason": "The local storage is full"}
    assert b"host-7" not in answer.body


@pytest.mark.parametrize("query", ["detail=0", "detail=", "detail", "other=1"])
def test_without_detail_there_are_exactly_two_keys(stats: Stats, query: str) -> None:
    assert len(json.loads(get(stats, query=query).body)) == 2


def test_gets_from_one_address_are_limited(ledger: Ledger) -> None:
    stats = Stats(Config(RateLimit(2, 3600), NETWORKS), MemoryCache(), own_ledger(ledger, "stats"))
    statuses = [get(stats, x_forwarded_for="1.1.1.1").status for _ in range(3)]
    assert statuses == [200, 200, 412]
    answer = get(stats, x_forwarded_for="1.1.1.1")
    assert answer.body == b'{"detail": "Too many requests"}'
    assert int(answer.headers["retry-after"]) > 0
    assert get(stats, x_forwarded_for="2.2.2.2").status == 200
    assert get(stats, "/status.html", x_forwarded_for="1.1.1.1").status == 200


@pytest.mark.parametrize("path", ["/status.html", "/readyz", "/openapi.json"])
def test_the_other_pages_are_limited_each_by_itself(ledger: Ledger, path: str) -> None:
    config = Config(RateLimit(2, 3600), NETWORKS, HTTPStatus.TOO_MANY_REQUESTS)
    stats = Stats(config, MemoryCache(), own_ledger(ledger, "stats"))
    statuses = [get(stats, path, x_forwarded_for="1.1.1.1").status for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert get(stats, x_forwarded_for="1.1.1.1").status == 200


def test_the_addresses_of_an_ipv6_site_share_a_limit(ledger: Ledger) -> None:
    stats = Stats(Config(RateLimit(2, 3600), NETWORKS), MemoryCache(), own_ledger(ledger, "stats"))
    addresses = ["[2001:db8::1]:443", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"]
    statuses = [get(stats, x_forwarded_for=address).status for address in addresses]
    assert statuses == [200, 200, 412, 200]


def test_without_a_ledger_there_are_no_counts(lost: Ledger) -> None:
    answer = get(Stats(Config(OFF, []), MemoryCache(), lost))
    assert (answer.status, answer.body) == (503, b'{"detail": "Service unavailable"}')
    assert int(answer.headers["retry-after"]) > 0


def test_the_status_page_is_200_when_all_is_well(stats: Stats) -> None:
    answer = get(stats, "/status.html")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert b"<h1>Service available</h1>" in answer.body


def test_the_status_page_names_what_does_not_answer(ledger: Ledger, lost: Ledger) -> None:
    dead = MemcachedCache(("127.0.0.1", free_port()))
    answer = get(Stats(Config(OFF, []), dead, ledger), "/status.html")
    assert answer.status == 503
    assert b"<dt>database</dt><dd>ok</dd>" in answer.body
    assert b"<dt>cache</dt><dd>memcached is unreachable</dd>" in answer.body
    answer = get(Stats(Config(OFF, []), MemoryCache(), lost), "/status.html")
    assert answer.status == 503
    assert b"<dt>database</dt><dd>PostgreSQL is unreachable</dd>" in answer.body
    assert b"<dt>cache</dt><dd>ok</dd>" in answer.body


def readiness(stats: Stats) -> tuple[int, dict[str, Any]]:
    answer = get(stats, "/readyz")
    return answer.status, json.loads(answer.body)


def test_it_is_ready_when_all_is_well(stats: Stats) -> None:
    status, health = readiness(stats)
    assert (status, health["status"]) == (200, "ok")
    names = ["database", "cache", "threads", "scheduler", "worker", "source", "storage", "delivery"]
    assert health["parts"] == {name: {"status": "ok"} for name in names}


def test_without_memcached_it_is_degraded_and_ready(ledger: Ledger) -> None:
    dead = MemcachedCache(("127.0.0.1", free_port()))
    stats = Stats(Config(OFF, []), dead, ledger)
    status, health = readiness(stats)
    assert (status, health["status"]) == (200, "degraded")
    cache = health["parts"]["cache"]
    assert (cache["status"], cache["reason"]) == ("degraded", "memcached is unreachable")
    assert readiness(stats)[1]["parts"]["cache"]["since"] == cache["since"]


def test_without_the_ledger_it_is_down(lost: Ledger) -> None:
    status, health = readiness(Stats(Config(OFF, []), MemoryCache(), lost))
    assert (status, health["status"]) == (503, "down")
    assert health["parts"]["database"]["reason"] == "PostgreSQL is unreachable"
    assert set(health["parts"]) == {"database", "cache", "threads"}


def test_what_other_processes_met_is_shown(stats: Stats, ledger: Ledger) -> None:
    ledger.heartbeats.beat(SCHEDULER, "RabbitMQ is unreachable", "requeue")
    ledger.heartbeats.beat(WORKER, "the disk hangs", "a machine:1")
    ledger.pauses.open("source", "The bucket does not exist")
    ledger.pauses.open("storage:a machine", "The local storage is full")
    status, health = readiness(stats)
    assert (status, health["status"]) == (200, "degraded")
    found = {name: part.get("reason") for name, part in health["parts"].items()}
    assert found == {
        "database": None,
        "cache": None,
        "threads": None,
        "scheduler": "RabbitMQ is unreachable",
        "worker": "the disk hangs",
        "source": "The bucket does not exist",
        "storage": "The local storage is full",
        "delivery": None,
    }
    assert "a machine" not in json.dumps(health)
    page = get(stats, "/status.html")
    assert page.status == 200
    assert b"<dt>source</dt><dd>The bucket does not exist</dd><dd>since " in page.body


def test_callbacks_are_a_part_once_there_are_any_and_never_down(
    stats: Stats, ledger: Ledger, database_url: str
) -> None:
    assert "callbacks" not in readiness(stats)[1]["parts"]
    told = Ledger(Database(database_url, *QUERIES), with_callbacks=True)
    told_stats = Stats(Config(OFF, []), MemoryCache(), told)
    assert readiness(told_stats)[1]["parts"]["callbacks"] == {"status": "ok"}
    told.close()
    execute(database_url, INSERT, CALLBACK)
    assert readiness(stats)[1]["parts"]["callbacks"] == {"status": "ok"}
    execute(database_url, "UPDATE callback SET state = 'undelivered'")
    status, health = readiness(stats)
    assert status == 200
    part = {"status": "degraded", "reason": "1 are undelivered"}
    assert health["parts"]["callbacks"] == part
    ledger.pauses.open("callback", "hooks.internal: connection refused")
    callbacks = readiness(stats)[1]["parts"]["callbacks"]
    assert callbacks["reason"] == "the receiver accepts no callbacks"
    assert "since" in callbacks
    page = get(stats, "/status.html")
    assert (page.status, b"hooks.internal" in page.body) == (200, False)
    assert b"<dt>callbacks</dt><dd>the receiver accepts no callbacks</dd>" in page.body


def test_a_thread_of_this_process_that_failed_is_shown_without_its_error(stats: Stats) -> None:
    def work() -> None:
        raise RuntimeError("secret text")

    thread = SupervisedThread("publisher", work, first_pause_seconds=60.0)
    thread.start()
    until(thread.fault)
    try:
        status, health = readiness(stats)
        assert (status, health["status"]) == (200, "degraded")
        part = {"status": "degraded", "reason": "thread publisher failed (RuntimeError)"}
        assert health["parts"]["threads"] == part
    finally:
        thread.stop()
        thread.join(5.0)
    assert readiness(stats)[1]["parts"]["threads"] == {"status": "ok"}


def test_silence_is_a_fault_of_the_scheduler_and_of_workers_with_work_to_do(
    stats: Stats, ledger: Ledger, database_url: str
) -> None:
    for component in (SCHEDULER, WORKER):
        ledger.heartbeats.beat(component)
    execute(database_url, "UPDATE heartbeat SET beat_at = now() - interval '1 hour'")
    parts = readiness(stats)[1]["parts"]
    assert [name for name in parts if parts[name]["status"] != "ok"] == ["scheduler"]
    execute(database_url, INSERT)
    parts = readiness(stats)[1]["parts"]
    degraded = [name for name in parts if parts[name]["status"] != "ok"]
    assert degraded == ["scheduler", "worker", "delivery"]


def test_a_process_that_answers_is_alive_whatever_its_servers_do(lost: Ledger) -> None:
    answer = get(Stats(Config(OFF, []), MemoryCache(), lost), "/livez")
    assert (answer.status, answer.body) == (200, b'{"status": "ok"}')


def test_without_a_cache_the_counts_are_given_all_the_same(ledger: Ledger) -> None:
    dead = MemcachedCache(("127.0.0.1", free_port()))
    assert [get(Stats(Config(RateLimit(1, 60), []), dead, ledger)).status for _ in range(3)] == [
        200
    ] * 3


def test_the_handler_answers_an_event_with_an_event(stats: Stats) -> None:
    answer = module.respond(stats, event())
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"]) == {"synced_objects_count": 0, "queued_objects_count": 0}
    assert module.respond(stats, event("/openapi.json"))["body"] == module.OPENAPI.read_text()
    assert module.respond(stats, event("/nothing"))["statusCode"] == 404
    refused = module.respond(stats, event(method="POST"))
    assert (refused["statusCode"], refused["headers"]["allow"]) == (405, "GET, HEAD, POST")
    refused = module.respond(stats, event("/status.html", method="POST"))
    assert (refused["statusCode"], refused["headers"]["allow"]) == (405, "GET, HEAD")
    assert module.respond(stats, event(method="HEAD")) == module.respond(stats, event())
