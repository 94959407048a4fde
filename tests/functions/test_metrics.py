from __future__ import annotations

import copy
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from functions.stats.metrics import MetricsReader
from functions.stats.service import Config, Stats
from shared.cache.memory import MemoryCache
from shared.config.parsers import RateLimit
from shared.http.event import Request
from shared.ledger.heartbeats import WORKER
from shared.ledger.ledger import Ledger
from shared.metrics import readings
from shared.metrics.catalog import OLDEST_QUEUED, Sample
from shared.metrics.shared_files import SharedFiles
from shared.metrics.tally import Tally
from tests.helpers.events import recorded
from tests.helpers.fake_queue import FakeQueue
from tests.helpers.servers import execute, free_port

EVENT = recorded("function_url")
OFF = RateLimit(0, 1)
LOOPBACK = [ip_network("127.0.0.0/8"), ip_network("::1")]
PROXIES = [ip_network("10.0.0.0/8"), ip_network("127.0.0.1")]
CALLBACKS = (
    """
    INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id)
    VALUES ('o', 'r', 'n', 't/t', sha256('n'), 'r')
    """,
    """
    INSERT INTO callback (file_sync_id, name_key, event, data, state, created_at)
    SELECT f.id, 1, 'object.synced', '{}', t.state, now() - interval '1 minute'
      FROM file_sync AS f, unnest(ARRAY['pending', 'pending', 'undelivered']) AS t(state)
    """,
)


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    ledger = Ledger.at(database_url)
    yield ledger
    ledger.close()


@pytest.fixture
def counts(tmp_path: Path) -> SharedFiles:
    return SharedFiles(tmp_path, Tally())


def values(reader: MetricsReader) -> dict[str, float]:
    lines = reader.text().decode().splitlines()
    return {
        name: float(value)
        for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")
    }


def test_the_service_is_read_as_it_is(ledger: Ledger, counts: SharedFiles, tmp_path: Path) -> None:
    ledger.heartbeats.beat(WORKER, None, "a:1")
    ledger.heartbeats.beat(WORKER, None, "b:1")
    ledger.pauses.open("storage:b", "The local storage is full")
    queue = FakeQueue(waiting=5)
    queue.dead_letter(b"x", "not JSON", {})
    found = values(
        MetricsReader(
            counts,
            {
                "database": lambda: readings.of_ledger(ledger),
                "queue": lambda: readings.of_queue(queue),
                "storage": lambda: readings.of_storage(tmp_path),
            },
            seconds=30.0,
        )
    )
    assert {f'sync_up{{part="{part}"}}' for part in ("database", "queue", "storage")} <= {
        name for name, value in found.items() if value == 1
    }
    assert found['sync_objects{state="queued"}'] == 0
    assert found['sync_processes_alive{component="worker"}'] == 2
    assert found['sync_paused{part="storage"}'] == 1
    assert found['sync_paused{part="source"}'] == 0
    assert found['sync_queue_messages{queue="sync"}'] == 5
    assert found['sync_queue_messages{queue="sync.dead"}'] == 1
    assert 0 < found["sync_storage_free_bytes"] <= found["sync_storage_size_bytes"]


def test_callbacks_are_read_once_there_are_any(
    ledger: Ledger, database_url: str, counts: SharedFiles
) -> None:
    reader = MetricsReader(counts, {"database": lambda: readings.of_ledger(ledger)}, seconds=30.0)
    assert not [name for name in values(reader) if "callback" in name]
    execute(database_url, *CALLBACKS)
    found = values(reader)
    assert found["sync_callbacks_pending"] == 2
    assert found["sync_callbacks_undelivered"] == 1
    assert 60 <= found["sync_callbacks_oldest_pending_seconds"] < 600
    assert found['sync_paused{part="callback"}'] == 0
    ledger.pauses.open("callback", "Connection refused")
    assert values(reader)['sync_paused{part="callback"}'] == 1


def test_what_is_unreachable_is_missing_and_said_to_be(counts: SharedFiles, tmp_path: Path) -> None:
    lost = Ledger.at(f"postgresql://sync@127.0.0.1:{free_port()}/sync")
    queue = FakeQueue()
    queue.reachable = False
    found = values(
        MetricsReader(
            counts,
            {
                "database": lambda: readings.of_ledger(lost),
                "queue": lambda: readings.of_queue(queue),
                "storage": lambda: readings.of_storage(tmp_path / "gone"),
            },
        )
    )
    assert [found[f'sync_up{{part="{part}"}}'] for part in ("database", "queue", "storage")] == [
        0.0,
        0.0,
        0.0,
    ]
    assert not any(name.startswith("sync_objects") for name in found)


def test_a_part_that_hangs_delays_no_answer_and_is_asked_once(counts: SharedFiles) -> None:
    ends, asked = threading.Event(), []

    def hang() -> list[Sample]:
        asked.append(1)
        ends.wait(60.0)
        return [Sample(OLDEST_QUEUED, 1.0)]

    reader = MetricsReader(counts, {"database": hang}, seconds=0.2)
    begun = time.monotonic()
    assert values(reader)['sync_up{part="database"}'] == 0
    assert values(reader)['sync_up{part="database"}'] == 0
    assert time.monotonic() - begun < 30.0
    assert len(asked) == 1
    ends.set()
    slow = MetricsReader(counts, {"database": hang}, seconds=30.0)
    assert values(slow)['sync_up{part="database"}'] == 1


def request(peer: str, **headers: str) -> Request:
    event: Any = copy.deepcopy(EVENT)
    event["requestContext"]["http"]["sourceIp"] = peer
    event["headers"] = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request.from_event(event)


@pytest.mark.parametrize(
    ("peer", "headers", "proxies", "may"),
    [
        ("127.0.0.1", {}, [], True),
        ("127.0.0.9", {}, [], True),
        ("::1", {}, [], True),
        ("::ffff:127.0.0.1", {}, [], True),
        ("192.0.2.1", {}, [], False),
        ("10.0.0.2", {}, PROXIES, False),
        ("10.0.0.2", {"x_forwarded_for": "127.0.0.1"}, PROXIES, True),
        ("127.0.0.1", {"x_forwarded_for": "203.0.113.7"}, PROXIES, False),
        ("127.0.0.1", {"x_forwarded_for": "127.0.0.1"}, [], False),
        ("127.0.0.1", {"forwarded": "for=127.0.0.1"}, [], False),
        ("192.0.2.1", {"x_forwarded_for": "127.0.0.1"}, PROXIES, False),
        ("", {}, [], False),
    ],
)
def test_only_the_networks_may_read(
    ledger: Ledger, peer: str, headers: dict[str, str], proxies: list[Any], *, may: bool
) -> None:
    config = Config(OFF, proxies, metrics_networks=LOOPBACK)
    stats = Stats(config, MemoryCache(), ledger)
    assert stats.may_read_metrics(request(peer, **headers)) is may
