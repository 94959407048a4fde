"""Alarms on what the functions themselves write, evaluated over what they have written."""

from __future__ import annotations

import pytest

from shared.metrics.catalog import UP
from tests.aws.cloudwatch import ALARM, OK, MetricId, embedded, state, watched
from tests.aws.conftest import Deployment
from tests.aws.nested import alarms
from tests.aws.recordings import SCENARIOS, healthy, old_object, without_broker

PERIODS = 15
"""Enough for every alarm; the same is observed in each."""


def state_after(name: str, log: str) -> str:
    """Return an alarm's state, where what a log holds goes on for a while."""
    alarm, written = alarms()[name], embedded(log)
    return state(alarm, {m: [written.get(m, [])] * PERIODS for m in watched(alarm)})


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_alarm_fires_on_what_functions_write(name: str, migrated: Deployment) -> None:
    assert state_after(name, SCENARIOS[name](migrated)) == ALARM


def test_no_alarm_fires_on_what_they_write_while_all_is_well(migrated: Deployment) -> None:
    log = healthy(migrated)
    assert {state_after(name, log) for name in SCENARIOS} == {OK}


def test_without_the_broker_the_ledgers_alarms_go_on(migrated: Deployment) -> None:
    old_object(migrated)
    log = without_broker(migrated)
    assert state_after("OldestQueued", log) == ALARM
    assert state_after("FailedObjects", log) == OK
    assert state_after("LedgerUnreachable", log) == OK


def test_a_moment_without_the_broker_raises_no_alarm(migrated: Deployment) -> None:
    namespace = "ExternalStorageSync/under-test"
    metric = MetricId(namespace, UP.name, (("part", "queue"),))
    down, up = embedded(without_broker(migrated))[metric], [1.0]
    alarm = alarms()["QueueUnreachable"]
    assert state(alarm, {metric: [up, up, down, down, up]}) == OK
    assert state(alarm, {metric: [up, down, down, down, up]}) == ALARM
