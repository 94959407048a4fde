"""How soon the work goes on: after a worker's death, a stop, a slow disk, a poison object."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.faults.harness.arena import Arena, Trial
from tests.faults.harness.services import Service
from tests.helpers.missing import missing
from tests.helpers.tcp_proxy import Condition
from tests.helpers.waiting import until

LEASE_SECONDS = 2.0
"""The stack's; see `Stack`."""

BACK_SECONDS = LEASE_SECONDS + 10.0
STOP_SECONDS = 5.0
ATTEMPTS = 3
CLIENTS = 4
WINDOW_SECONDS = 1.0
COPIES = 32
"""SYNC_CONCURRENCY."""

WARM = 60
"""Objects that are synced before anything is measured."""

SYNCED_SINCE = """
SELECT count(*) FROM file_sync
 WHERE synced_at > to_timestamp(%s) AND synced_at <= to_timestamp(%s)
"""
LONGEST = """
SELECT coalesce(max(extract(epoch FROM synced_at - created_at))::float8, 0) FROM file_sync
 WHERE file_name LIKE %s AND created_at > to_timestamp(%s) AND created_at <= to_timestamp(%s)
"""
CLAIMED = """
SELECT extract(epoch FROM min(claimed_at))::float8 FROM file_sync
 WHERE claimed_at > to_timestamp(%s)
"""
UNDONE = "SELECT 1 FROM file_sync WHERE state = 'queued' AND created_at < to_timestamp(%s) LIMIT 1"
AGAIN = "SELECT count(*) FROM file_sync WHERE attempts > 1"
COUNTED = "SELECT coalesce(max(attempts - attempts_forgiven - deaths), 0) FROM file_sync"
POISON = (
    "SELECT attempts, leased_until > now(), state FROM file_sync WHERE file_name LIKE 'silent/%'"
)
SLOW_SYNC = Path(__file__).parent / "harness/slow_folder_sync.c"


def send(trial: Trial, count: int, size: int, name: str) -> None:
    """Send many requests at once, each to be accepted."""

    def one(number: int) -> None:
        assert trial.client.send(trial.client.asked(f"plain/{size}/{name}-{number}")) == 201

    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(one, range(count)))


@contextlib.contextmanager
def changed(arena: Arena, **variables: str) -> Iterator[None]:
    """Have worker and scheduler use other settings in the block, the worker from its next start."""
    services = (arena.stack.trigger, arena.stack.scheduler)
    before = {name: arena.stack.variables.get(name, "") for name in variables}
    for service in services:
        service.stop()
        service.change(**variables)
    arena.stack.scheduler.start()
    try:
        yield
    finally:
        for service in services:
            service.change(**before)
            service.restart()


@contextlib.contextmanager
def second_worker(arena: Arena, folder: Path, **variables: str) -> Iterator[None]:
    """Run another worker beside the stack's in the block, as a local run does by default."""
    service = Service("trigger", folder, arena.stack.variables | variables)
    try:
        service.start()
        yield
    finally:
        service.close()


def synced(arena: Arena, begin: float, end: float) -> int:
    """Return how many objects were synced in a span of time (seconds since 1970)."""
    return int(arena.stack.query(SYNCED_SINCE, begin, end)[0][0])


def is_done(arena: Arena, moment: float) -> bool:
    """Return whether nothing is queued that was accepted before a moment (seconds since 1970)."""
    return arena.stack.query(UNDONE, moment) == []


def test_the_rate_is_soon_back_after_a_worker_dies_under_load(
    arena: Arena, tmp_path: Path, *, long: bool
) -> None:
    batch, seconds = (300, 10.0) if long else (60, 2.0)
    trigger, proxy = arena.stack.trigger, arena.stack.servers.store.proxy
    workers = second_worker(arena, tmp_path) if long else contextlib.nullcontext()
    with workers, arena.trial(f"worker with {batch} objects killed under load") as trial:
        with trial.load(rate=30.0):
            until(lambda: synced(arena, 0.0, time.time()) >= WARM, "the work to flow")
            began = time.time()
            time.sleep(seconds)  # what is normal is measured meanwhile
            normal = synced(arena, began, time.time()) / seconds
            assert normal > 0
            measured = time.time()
            until(lambda: is_done(arena, measured), "what was measured to end")
            proxy.set_condition(Condition.SLOW)  # so that the worker has them in hand
            try:
                send(trial, batch, 150_000, "batch")
                until(lambda: arena.stack.leased() >= COPIES, "a batch in hand")
                killed = time.time()
                trigger.kill()
            finally:
                proxy.set_condition(Condition.NORMAL)

            def is_back() -> bool:
                now = time.time()
                found = synced(arena, now - WINDOW_SECONDS, now) >= 0.9 * normal * WINDOW_SECONDS
                return found and now - killed > WINDOW_SECONDS

            until(lambda: arena.stack.query(CLAIMED, killed)[0][0], "a worker to claim again")
            resumed = time.time()
            until(is_back, "the rate to be back")
            trial.recovery = time.time() - killed
            time.sleep(seconds)  # fresh requests come meanwhile
            ended = time.time()
        trial.rest()
        fresh = f"plain/%/{trial.prefix}/%"
        usual = arena.stack.query(LONGEST, fresh, began, began + seconds)[0][0]
        longest = arena.stack.query(LONGEST, fresh, resumed, ended)[0][0]
        arena.note("fresh request, normally", usual)
        arena.note("fresh request after a worker's death", longest)
        assert arena.stack.query(AGAIN)[0][0] >= COPIES // 2  # what it died with was not done
        assert usual > 0
        assert longest > 0
        assert trial.recovery < BACK_SECONDS
        # The goal is a second. A fresh request waits for the objects that came before it, 300 that
        # had been slow in the long form, but not for those that the dead worker had. The short form
        # has no other worker, and waits for the new process as well.
        assert longest < usual + (3.0 if long else 6.0)


def test_what_a_frozen_worker_has_in_hand_is_taken_by_another(arena: Arena, tmp_path: Path) -> None:
    stack, patient = arena.stack, {"DELIVERY_SECONDS": "60"}
    with (
        stack.served_with(**patient),
        changed(arena, **patient),
        second_worker(arena, tmp_path, **patient),
        arena.trial("one of two workers frozen") as trial,
    ):
        stack.trigger.start()
        until(lambda: stack.broker.consumers() == 2, "both workers to consume")
        let_go = stack.trigger.freeze()
        try:
            began = time.time()
            for number in range(2):  # one by one, as a busy worker finds such rows by itself
                send(trial, 1, 1_000, f"one-{number}")
                until(partial(is_done, arena, time.time()), "it to be synced")
            trial.recovery = time.time() - began
        finally:
            let_go()
        assert "rows fetched from the ledger" in (tmp_path / "trigger.log").read_text()
        # One of them waits for 5 s at most. The broker returns it after some 12 s.
        assert trial.recovery < BACK_SECONDS


def test_a_worker_with_slow_objects_in_hand_stops_soon(arena: Arena, *, long: bool) -> None:
    count = 320 if long else 40
    trigger, proxy = arena.stack.trigger, arena.stack.servers.store.proxy
    with (
        changed(arena, SOURCE_STALL_SECONDS="60", DELIVERY_SECONDS="30"),
        arena.trial(f"SIGTERM with {count} slow objects in hand") as trial,
    ):
        send(trial, count, 300_000, "slow")
        proxy.set_condition(Condition.SLOW)
        try:
            trigger.start()
            until(lambda: arena.stack.leased() >= COPIES, "copies under way")
            began = time.monotonic()
            trigger.stop()
            trial.recovery = time.monotonic() - began
        finally:
            proxy.set_condition(Condition.NORMAL)
        assert trial.recovery < STOP_SECONDS
        assert arena.stack.query(COUNTED)[0][0] == 0
        assert arena.stack.leased() == 0
        trigger.start()
        trial.rest()
        assert {row.state for row in arena.stack.rows()} == {"synced"}


@pytest.mark.faults
def test_a_slow_folder_sync_costs_nothing_but_its_time(
    arena: Arena, tmp_path: Path, *, long: bool
) -> None:
    seconds = 25 if long else 5
    compiler = shutil.which("cc")
    if compiler is None:
        missing("cc")
    library, once = tmp_path / "slow_folder_sync.so", tmp_path / "once"
    build = [compiler, "-shared", "-fPIC", "-o", str(library), str(SLOW_SYNC), "-ldl"]
    subprocess.run(build, check=True, timeout=60)
    once.touch()
    trigger = arena.stack.trigger
    variables = {"SLOW_SYNC_ONCE": str(once), "SLOW_SYNC_SECONDS": str(seconds)}
    with (
        changed(arena, LD_PRELOAD=str(library), **variables),
        arena.trial(f"folder sync of {seconds} s") as trial,
    ):
        seen = len(trigger.log.read_text())
        send(trial, 20, 20_000, "placed")
        trigger.start()
        began = time.monotonic()
        trial.rest()
        trial.recovery = time.monotonic() - began
        assert not once.exists()
        assert trial.recovery > seconds
        rows = arena.stack.query("SELECT DISTINCT state, attempts, deaths FROM file_sync")
        assert rows == [("synced", 1, 0)]  # the lease was kept: nothing took a row over
        assert "PostgreSQL" not in trigger.log.read_text()[seen:]


@pytest.mark.faults
def test_a_poison_object_among_many_ends_alone(arena: Arena, *, long: bool) -> None:
    count = 300 if long else 40
    trigger = arena.stack.trigger
    with (
        changed(arena, MAX_ATTEMPTS=str(ATTEMPTS), SOURCE_STALL_SECONDS="60"),
        arena.trial(f"poison object among {count}") as trial,
    ):
        trial.send("silent", name="poison")
        send(trial, count, 20_000, "beside")
        trial.times = 0

        def has_ended() -> bool:
            attempt, leased, state = arena.stack.query(POISON)[0]
            if leased and attempt > trial.times:
                trial.times = attempt
                trigger.kill()
            return bool(state == "failed")

        began = time.monotonic()
        trigger.start()
        until(has_ended, "the poison object to end", 120.0)
        trial.rest()
        trial.recovery = time.monotonic() - began
        rows = arena.stack.rows()
        assert [row.file_name for row in rows if row.state == "failed"] == ["silent/20000/poison"]
        assert len([row for row in rows if row.state == "synced"]) == count
        assert trial.times == ATTEMPTS
