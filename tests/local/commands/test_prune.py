"""Old history is removed, and nothing else."""

from __future__ import annotations

import json

import pytest

from shared.ledger import pruning
from tests.helpers.servers import execute, query
from tests.local.commands.conftest import Sync

HISTORY = (
    # 1 and 2 are synced, 3 has failed, 4 is dismissed.
    """
    INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id, state,
                           last_error, failed_at, synced_at, file_path, size_bytes, sha256)
    SELECT 'o', 'r', n::text, 'image/png', sha256(n::text::bytea), 'q',
           (ARRAY['synced', 'synced', 'failed', 'dismissed'])[n]::sync_state,
           CASE WHEN n > 2 THEN 'Gone' END, CASE WHEN n > 2 THEN now() END,
           CASE WHEN n < 3 THEN now() END, n::text, 1, sha256('x')
      FROM generate_series(1, 4) AS n
    """,
    """
    INSERT INTO sync_attempt (file_sync_id, attempt, outcome, reason, started_at, finished_at)
    SELECT id, attempt, 'retry', 'Gone', now(),
           now() - CASE attempt WHEN 1 THEN interval '400 days' ELSE interval '9 days' END
      FROM file_sync, generate_series(1, 2) AS attempt
    """,
    """
    INSERT INTO action (name, actor, selection, last_id, begun_at, finished_at)
    SELECT 'retry', 'test', '{}', 4, now(), now() - age
      FROM unnest(ARRAY[interval '400 days', interval '400 days', interval '9 days', NULL]) AS age
    """,
    "INSERT INTO action_object (file_sync_id, action_id) VALUES (1, 1), (4, 1), (2, 2), (3, 2)",
    "INSERT INTO action_object (file_sync_id, action_id) VALUES (1, 3), (1, 4)",
    """
    INSERT INTO run (kind, actor, options, state, finished_at)
    SELECT kind, 'schedule', '{}', 'finished', now() - age
      FROM (VALUES ('scrub', interval '400 days'), ('scrub', interval '399 days'),
                   ('reconcile', interval '500 days')) AS run(kind, age)
    """,
    # Delivered long ago; given up long ago; delivered last week; pending for ever; of a failed one.
    """
    INSERT INTO callback (file_sync_id, name_key, event, data, state, delivered_at, give_up_at)
    SELECT object, 1, 'object.synced', '{}', state, delivered::timestamptz, given_up::timestamptz
      FROM (VALUES (1, 'delivered', now() - interval '400 days', now() - interval '400 days'),
                   (2, 'undelivered', NULL, now() - interval '400 days'),
                   (1, 'delivered', now() - interval '7 days', now() - interval '400 days'),
                   (2, 'pending', NULL, now() - interval '400 days'),
                   (3, 'undelivered', NULL, now() - interval '400 days')
           ) AS callback(object, state, delivered, given_up)
    """,
    "INSERT INTO run_finding (run_id, finding, file_name) SELECT id, 'missing', 'a' FROM run",
)


@pytest.fixture
def url(database_url: str) -> str:
    execute(database_url, *HISTORY)
    return database_url


def test_old_history_of_settled_objects_is_removed(
    url: str, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "RANGE", 2)
    monkeypatch.setattr(pruning, "FINDINGS", 1)
    dry = sync("prune", "--older-than", "365d", "--dry-run", "--json", DATABASE_URL=url)
    counted = json.loads(dry.out)
    assert counted.pop("before")
    assert counted == {"dry_run": True, "attempts": 3, "actions": 1, "runs": 1, "callbacks": 3}
    done = sync("prune", "--older-than", "365d", DATABASE_URL=url)
    assert (done.code, done.out) == (
        0,
        "3 attempts, 3 callbacks, 1 actions and 1 runs are removed\n",
    )

    assert query(url, "SELECT count(*) FROM file_sync") == [(4,)]
    attempts = "SELECT file_sync_id, attempt FROM sync_attempt ORDER BY 1, 2"
    assert query(url, attempts) == [(1, 2), (2, 2), (3, 1), (3, 2), (4, 2)]
    assert query(url, "SELECT id FROM action ORDER BY id") == [(2,), (3,), (4,)]
    of_objects = "SELECT action_id, file_sync_id FROM action_object ORDER BY 1, 2"
    assert query(url, of_objects) == [(2, 3), (3, 1), (4, 1)]
    assert query(url, "SELECT kind, id FROM run ORDER BY id") == [("scrub", 2), ("reconcile", 3)]
    assert query(url, "SELECT run_id FROM run_finding ORDER BY 1") == [(2,), (3,)]
    callbacks = "SELECT file_sync_id, state FROM callback ORDER BY 1"
    assert query(url, callbacks) == [(1, "delivered"), (2, "pending")]
    again = sync("prune", "--older-than", "365d", DATABASE_URL=url)
    assert again.out == "0 attempts, 0 actions and 0 runs are removed\n"


@pytest.mark.parametrize("typed", ["", "--older-than 3h", "--older-than soon", "--older-than ''"])
def test_what_is_no_age_is_a_usage_error(typed: str, sync: Sync) -> None:
    assert sync("prune", *typed.split()).code == 2
