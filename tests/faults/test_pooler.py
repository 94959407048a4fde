"""The whole service behind a pooler in transaction mode, which dies and comes back."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from local.provisioning import prepare
from local.servers.errors import ProgramMissing
from tests.faults.harness.arena import Arena
from tests.helpers.missing import missing
from tests.helpers.pgbouncer import PgBouncer
from tests.helpers.servers import free_port

DEATHS = 5
RECOVERY_SECONDS = 10.0


@pytest.mark.faults
def test_work_goes_on_behind_a_pooler_that_dies(arena: Arena) -> None:
    stack = arena.stack
    # Its account reads its configuration, which a test's own folder would not let it.
    folder: Path = stack.folder / "pgbouncer"
    pooler = PgBouncer(folder, free_port(), stack.servers.database_url)
    try:
        pooler.start()
    except ProgramMissing as error:
        missing(error.about)
    pooler.wait_ready()
    variables = {"DATABASE_URL": pooler.url}
    try:
        list(prepare({**stack.variables, **variables}))
        for service in stack.services:
            service.stop()
            service.change(**variables)
        stack.start()
        with arena.trial("PgBouncer in transaction mode, killed") as trial:
            with trial.load():
                for _ in range(DEATHS):
                    time.sleep(1)
                    assert pooler.pid is not None
                    os.kill(pooler.pid, signal.SIGKILL)
                    pooler.stop()
                    time.sleep(0.5)
                    pooler.start()
                    pooler.wait_ready()
                    trial.back()
            trial.times = DEATHS
            assert trial.recovery is not None
            assert trial.recovery < RECOVERY_SECONDS
    finally:
        for service in stack.services:
            service.stop()
            service.change(DATABASE_URL=stack.variables["DATABASE_URL"])
        pooler.stop()
        stack.start()
