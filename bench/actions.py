"""An action on all objects that match one filter, as the admin and `./sync` perform it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing

from bench import ledgers
from bench.figure import Figure, Target
from bench.processes import cpu_seconds
from bench.setting import Setting
from shared import adapters
from shared.config.settings import Settings
from shared.ledger.actions import Action
from shared.ledger.rows import State
from shared.ledger.selection import Selection

SECONDS = 2
"""What a person waits for such an action at most."""

PERFORMED = (
    (Action.DISMISS, State.FAILED),
    (Action.RESTORE, State.DISMISSED),
    (Action.RETRY, State.FAILED),
)
"""In turn, each with what the one before has made of the objects."""

FAIL_AGAIN = """
UPDATE file_sync SET state = 'failed', last_error = 'Too many redirects: again', failed_at = now()
 WHERE state = 'queued' AND file_name LIKE 'failed/%'
"""

BARE = (
    "DROP TABLE IF EXISTS bare",
    "CREATE TABLE bare (LIKE file_sync INCLUDING ALL)",
    "INSERT INTO bare OVERRIDING SYSTEM VALUE SELECT * FROM file_sync WHERE state = 'failed'",
    "VACUUM ANALYZE bare",
    "CHECKPOINT",
)
BARE_UPDATE = "UPDATE bare SET state = 'dismissed' WHERE state = 'failed'"


def measure(setting: Setting) -> Iterator[Figure]:
    """Dismiss, restore and retry the failed objects of the large ledger."""
    plan, url = setting.plan, setting.many
    ledgers.add_failed(url, plan.changed)
    ledgers.settle(url)
    settings = Settings.from_mapping({"DATABASE_URL": url})
    taken: dict[Action, list[float]] = {action: [] for action, _ in PERFORMED}
    cost: dict[Action, list[float]] = {action: [] for action, _ in PERFORMED}
    bare = []
    with closing(adapters.ledger(settings)) as ledger:
        for _ in setting.runs("actions"):
            bare.append(_bare(url))
            for action, state in PERFORMED:
                cpu, before = cpu_seconds(setting.stack.postgres.pid or 0), time.perf_counter()
                done = ledger.actions.perform(action, Selection(states=(state,)), "bench")
                taken[action].append(time.perf_counter() - before)
                cost[action].append(cpu_seconds(setting.stack.postgres.pid or 0) - cpu)
                if done.objects != plan.changed:
                    raise AssertionError(f"{action}: {done.objects} of {plan.changed} objects")
            ledgers.execute(url, FAIL_AGAIN)
            ledgers.settle(url)
    ledgers.execute(url, "DROP TABLE bare")
    ledgers.execute(url, "DELETE FROM file_sync WHERE file_name LIKE 'failed/%'")
    for action, seconds in taken.items():
        yield Figure(
            f"{action} {plan.changed:,} objects by one filter, {plan.many_rows:,} rows",
            seconds,
            "s",
            Target(SECONDS, at_least=False),
            bare,
            "one UPDATE in a table with the same indexes, of these rows alone, without history",
            _note(cost[action], plan.changed),
        )


def _bare(url: str) -> float:
    for statement in BARE:
        ledgers.execute(url, statement)
    before = time.perf_counter()
    ledgers.execute(url, BARE_UPDATE)
    return time.perf_counter() - before


def _note(seconds: Sequence[float], objects: int) -> str:
    each = sum(seconds) / len(seconds) / objects * 1e6
    return f"PostgreSQL's processor time of one object in µs: {each:.0f}"
