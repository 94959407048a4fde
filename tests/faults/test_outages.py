"""Servers that stop, die, freeze, are cut off or slow, and come back with their data."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.faults.harness.arena import Arena, Trial
from tests.faults.harness.servers import Faulty
from tests.helpers.tcp_proxy import Condition

SERVERS = ("postgres", "rabbitmq", "memcached", "store")
AWAY_SECONDS = {"short": 3.0, "long": 12.0}
"""A frozen or silent server is away for longer than any of our limits on one wait (6 s)."""

RECOVERY_SECONDS = 10.0


def stopped(server: Faulty, seconds: float) -> None:
    server.stop()
    time.sleep(seconds)
    server.start()


def killed(server: Faulty, seconds: float) -> None:
    server.kill()
    time.sleep(seconds)
    server.start()


def frozen(server: Faulty, seconds: float) -> None:
    go_on = server.freeze()
    try:
        time.sleep(seconds)
    finally:
        go_on()


def cut_off(server: Faulty, seconds: float) -> None:
    network(server, Condition.RESET, seconds)


def silent(server: Faulty, seconds: float) -> None:
    network(server, Condition.SILENT, seconds)


def slowed(server: Faulty, seconds: float) -> None:
    network(server, Condition.SLOW, seconds)


def connections_reset(server: Faulty, seconds: float) -> None:
    for _ in range(5):
        server.proxy.reset()
        time.sleep(seconds / 5)


def network(server: Faulty, condition: Condition, seconds: float) -> None:
    server.proxy.set_condition(condition)
    try:
        time.sleep(seconds)
    finally:
        server.proxy.set_condition(Condition.NORMAL)


PROXIED = (cut_off, silent, slowed, connections_reset)
ON_THE_SERVER = (stopped, killed, frozen)


def try_outage(
    arena: Arena, server: str, fault: Callable[[Faulty, float], None], seconds: float
) -> Trial:
    faulty: Faulty = getattr(arena.stack.servers, server)
    name = fault.__name__.replace("_", " ")
    with arena.trial(f"{faulty.name} {name}") as trial, trial.load():
        time.sleep(1)
        fault(faulty, seconds)
        trial.back()
        time.sleep(1)
    return trial


@pytest.fixture
def away(*, long: bool) -> float:
    return AWAY_SECONDS["long" if long else "short"]


@pytest.mark.parametrize("fault", PROXIED)
@pytest.mark.parametrize("server", SERVERS)
def test_work_goes_on_after_a_bad_network(
    server: str, fault: Callable[[Faulty, float], None], arena: Arena, away: float
) -> None:
    trial = try_outage(arena, server, fault, away)
    assert trial.recovery is not None
    assert trial.recovery < RECOVERY_SECONDS


@pytest.mark.parametrize("fault", ON_THE_SERVER)
@pytest.mark.parametrize("server", SERVERS)
def test_work_goes_on_after_a_server_was_away(
    server: str, fault: Callable[[Faulty, float], None], arena: Arena, away: float, *, long: bool
) -> None:
    if server == "rabbitmq" and not long:
        pytest.skip("the short form shares its RabbitMQ with other tests; make faults hurts one")
    trial = try_outage(arena, server, fault, away)
    assert trial.recovery is not None
    assert trial.recovery < RECOVERY_SECONDS


def test_a_flushed_memcached_changes_nothing(arena: Arena) -> None:
    with arena.trial("memcached flushed") as trial, trial.load():
        for _ in range(5):
            time.sleep(0.4)
            arena.stack.flush_memcached()
            trial.times += 1
        trial.times -= 1


def test_a_queue_purged_by_hand_is_filled_again(arena: Arena) -> None:
    with arena.trial("RabbitMQ purged by hand") as trial:
        arena.stack.trigger.stop()
        trial.send("plain", count=50)
        assert arena.stack.broker.purge_waiting() > 0
        arena.stack.start()
