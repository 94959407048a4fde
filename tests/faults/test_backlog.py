"""A backlog in the queue, and what must not wait for its end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.harness.arena import Arena, Trial
from tests.helpers.waiting import until

WAITING = 10_000
"""As many messages as requeue lets wait."""

CLIENTS = 4
SYNCED = """
SELECT extract(epoch FROM max(synced_at) FILTER (WHERE file_name LIKE 'broken-once/%%'))::float8,
       extract(epoch FROM min(synced_at) FILTER (WHERE file_name LIKE 'plain/%%'))::float8,
       extract(epoch FROM max(synced_at) FILTER (WHERE file_name LIKE 'plain/%%'))::float8
  FROM file_sync
"""
AGAIN = """
SELECT extract(epoch FROM next_attempt_at)::float8 FROM file_sync
 WHERE state = 'queued' AND attempts = 1 AND leased_until IS NULL
"""


def wait_behind(trial: Trial, count: int) -> None:
    """Have many requests accepted while no worker takes them."""

    def send(number: int) -> None:
        assert trial.client.send(trial.client.asked(f"plain/200/backlog-{number}")) == 201

    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(send, range(count)))


@pytest.mark.faults
def test_a_retry_does_not_wait_for_the_backlog(arena: Arena) -> None:
    with arena.trial("retry behind 10,000 messages") as trial:
        trial.send("broken-once")
        until(lambda: arena.stack.query(AGAIN), "the first attempt to fail")
        arena.stack.trigger.stop()
        due = arena.stack.query(AGAIN)[0][0]
        wait_behind(trial, WAITING)
        arena.stack.start()
        trial.rest()
        retried, first, last = arena.stack.query(SYNCED)[0]
        # From the first of the backlog on, a worker was there.
        trial.recovery = max(0.0, retried - max(due, first))
        assert trial.recovery < 5.0 < last - first
