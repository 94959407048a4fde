from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from functions.admin.dashboard.concerns import Findings, concerns
from functions.admin.dashboard.health import Health
from shared.ledger.callbacks import CallbackCounts
from shared.ledger.heartbeats import SCHEDULER, WORKER, Heartbeat
from shared.ledger.pauses import Pause
from shared.ledger.rows import Counts
from shared.ledger.runs import Kind, Run, RunState

NOW = datetime(2026, 11, 29, 6, 0, tzinfo=UTC)
SINCE = NOW - timedelta(minutes=7)
LIST = "/admin/sync/filesync/"
PAUSED = "The source is paused: S3 is unreachable. Objects wait and use up no attempts"
NO_CALLBACKS = CallbackCounts(0, 0, None)
WELL = Findings(
    now=NOW,
    counts=Counts(synced=9, queued=1, failed=0, dismissed=2, bytes_stored=9),
    failed_since=None,
    problems=0,
    problems_since=None,
    oldest=3.0,
    beats=[Heartbeat(SCHEDULER, "a:1", 4.0, None), Heartbeat(WORKER, "a:2", 4.0, None)],
    pauses=(),
    receiver_pauses=(),
    callbacks=NO_CALLBACKS,
    undelivered_since=None,
    runs=(),
    servers=[Health("Database", ok=True, detail="OK", milliseconds=1.0)],
    nearly_full=False,
    readable=True,
)
RUN = Run(1, Kind.SCRUB, "schedule", {}, RunState.FAILED, SINCE, SINCE, None, {}, "no room")


def test_nothing_is_said_while_all_is_right() -> None:
    assert concerns(WELL) == []
    assert concerns(replace(WELL, beats=(), oldest=None)) == []  # a new installation
    finished = replace(RUN, state=RunState.FINISHED, error=None)
    assert concerns(replace(WELL, runs=[finished])) == []


@pytest.mark.parametrize(
    ("changes", "text", "url", "since", "bad"),
    [
        ({"counts": replace(WELL.counts, failed=1021), "failed_since": SINCE},
         "1\N{NARROW NO-BREAK SPACE}021 objects have failed", f"{LIST}?state=failed", SINCE, True),
        ({"counts": replace(WELL.counts, failed=1), "failed_since": SINCE},
         "1 object has failed", f"{LIST}?state=failed", SINCE, True),
        ({"problems": 2, "problems_since": SINCE},
         "2 stored files are damaged, missing or unreadable", f"{LIST}?verified=problem", SINCE,
         True),
        ({"pauses": [Pause("source", "S3 is unreachable", SINCE, 8.0)]},
         f"{PAUSED}; next probe in 8 s", f"{LIST}?state=queued", SINCE, True),
        ({"pauses": [Pause("storage:nas1", "no room", SINCE, -1.0)]},
         "The storage of nas1 is paused: no room. Objects wait and use up no attempts",
         f"{LIST}?state=queued", SINCE, True),
        ({"receiver_pauses": [Pause("callback", "answered 500", SINCE, 1.0)]},
         "The receiver of callbacks is paused: answered 500. Callbacks wait",
         "/admin/callbacks/?state=pending",
         SINCE, False),
        ({"callbacks": CallbackCounts(0, 3, None), "undelivered_since": SINCE},
         "3 callbacks are undelivered", "/admin/callbacks/", SINCE, False),
        ({"beats": [Heartbeat(SCHEDULER, "a:1", 420.0, None)]},
         "Scheduler: it has not run", "#health", SINCE, True),
        ({"beats": [], "oldest": 420.0},
         "Worker: objects wait, and no worker has reported", f"{LIST}?state=queued", SINCE, True),
        ({"oldest": 1000.0}, "The oldest queued object has waited 16 min 40 s",
         f"{LIST}?state=queued", NOW - timedelta(seconds=1000), False),
        ({"runs": [RUN]}, "Reading stored files again failed: no room", "#health", SINCE, False),
        ({"runs": [replace(RUN, kind=Kind.RECONCILE, state=RunState.RUNNING, error="S3 is away")]},
         "The comparison with the bucket waits: S3 is away", "#health", SINCE, False),
        ({"servers": [Health("S3", ok=False, detail="403", milliseconds=1.0, since=SINCE)]},
         "S3: 403", "#health", SINCE, True),
        ({"servers": [Health("Cache", ok=False, detail="gone", milliseconds=1.0, since=SINCE)]},
         "Cache: gone", "#health", SINCE, False),
        ({"readable": False}, "The storage folder can't be read", "#space", None, True),
        ({"nearly_full": True}, "The storage is nearly full", "#space", None, False),
    ],
)  # fmt: skip
def test_each_concern_says_what_and_since_when_and_leads_to_its_cure(
    changes: dict[str, Any], text: str, url: str, since: datetime | None, bad: bool
) -> None:
    (found,) = concerns(replace(WELL, **changes))
    assert (found.text, found.url, found.since, found.bad) == (text, url, since, bad)


def test_what_affects_files_comes_first_and_a_wait_is_not_told_twice() -> None:
    pause = Pause("source", "S3 is unreachable", SINCE, 8.0)
    found = concerns(replace(WELL, nearly_full=True, problems=1, pauses=[pause], oldest=1000.0))
    assert [concern.bad for concern in found] == [True, True, False]
