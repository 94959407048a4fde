"""Faults that concern all objects: the work pauses, and no object loses an attempt."""

from __future__ import annotations

import pytest

from tests.faults.harness.arena import Arena, Trial
from tests.faults.harness.object_store import Everywhere
from tests.helpers.waiting import until

REASONS = {
    Everywhere.NO_BUCKET: "The bucket does not exist",
    Everywhere.DENIED: "The object",
    Everywhere.UNKNOWN_KEY: "The object store refuses the credentials",
    Everywhere.BROKEN: "The object store could not be read",
    Everywhere.PORTAL: "This does not answer like S3: check AWS_ENDPOINT_URL_S3",
}
"""What the pause is said to be for begins so."""

COUNTED = """
SELECT coalesce(max(attempts - attempts_forgiven - deaths), 0) FROM file_sync
"""


def paused(trial: Trial) -> str:
    """Return the reason of the pause, empty while there is none."""
    found = trial.stack.query("SELECT reason FROM pause WHERE part = 'source'")
    return str(found[0][0]) if found else ""


@pytest.mark.parametrize(
    "everywhere",
    [
        Everywhere.NO_BUCKET,
        Everywhere.PORTAL,
        *(
            pytest.param(each, marks=pytest.mark.faults)
            for each in (Everywhere.DENIED, Everywhere.UNKNOWN_KEY, Everywhere.BROKEN)
        ),
    ],
)
def test_a_fault_of_the_whole_source_pauses_and_counts_nothing(
    everywhere: Everywhere, arena: Arena
) -> None:
    store = arena.stack.servers.object_store
    try:
        with arena.trial(f"source, all objects {everywhere.value}") as trial:
            store.set_everywhere(everywhere)
            trial.times = 50
            trial.send("plain", count=50)
            until(lambda: paused(trial), "a pause")
            assert paused(trial).startswith(REASONS[everywhere]), paused(trial)
            store.set_everywhere(Everywhere.NORMAL)
            trial.back()
            trial.rest()
            assert {row.state for row in trial.stack.rows()} == {"synced"}
            # What answers in place of S3 counts, but only of the first and of the probes.
            most = 3 if everywhere is Everywhere.PORTAL else 1
            assert trial.stack.query(COUNTED)[0][0] <= most
            assert not paused(trial)
    finally:
        store.set_everywhere(Everywhere.NORMAL)


def test_what_answers_in_place_of_s3_for_good_fails_its_objects_with_the_reason(
    two_tries: Arena,
) -> None:
    store = two_tries.stack.servers.object_store
    try:
        with two_tries.trial("another program in place of S3, for good") as trial:
            store.set_everywhere(Everywhere.PORTAL)
            trial.send("plain")
            trial.rest()
            (row,) = trial.stack.rows()
            assert row.state == "failed"
            assert (row.last_error or "").startswith(REASONS[Everywhere.PORTAL])
    finally:
        store.set_everywhere(Everywhere.NORMAL)
