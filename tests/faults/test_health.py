"""What health says of each server that is away, how soon, and that it says so no longer."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any

import pytest

from tests.faults.harness.arena import Arena
from tests.helpers.waiting import until

SHOWN_SECONDS = 15.0
PARTS = {
    # server: the part of health, and whether requests can still be accepted
    "postgres": ("database", False),
    "rabbitmq": ("scheduler", True),
    "memcached": ("cache", True),
    "store": ("source", True),
}


def health(arena: Arena) -> tuple[int, dict[str, Any]]:
    """Return status and document of `/readyz`."""
    connection = http.client.HTTPConnection("127.0.0.1", arena.stack.port, timeout=30.0)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@pytest.mark.faults
@pytest.mark.parametrize("server", PARTS)
def test_health_shows_what_is_away_and_that_it_is_back(server: str, arena: Arena) -> None:
    part, accepts = PARTS[server]
    faulty = getattr(arena.stack.servers, server)
    with arena.trial(f"{faulty.name} away, until health shows it") as trial, trial.load():
        until(lambda: health(arena)[1]["status"] == "ok", "everything to be well")
        began = time.monotonic()
        faulty.stop()
        try:
            until(lambda: health(arena)[1]["parts"][part]["status"] != "ok", f"{part} to be shown")
            trial.recovery = time.monotonic() - began
            status, document = health(arena)
            assert document["parts"][part]["reason"]
            assert document["status"] == ("degraded" if accepts else "down")
            assert status == (200 if accepts else 503)
        finally:
            faulty.start()
        until(lambda: health(arena)[1]["status"] == "ok", "everything to be well again")
        assert trial.recovery < SHOWN_SECONDS
