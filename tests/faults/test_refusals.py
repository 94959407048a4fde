"""Requests that are refused: none takes others along, and they do not fill the log."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.harness.arena import Arena
from tests.faults.harness.caller import Caller

REQUESTS = 480
CLIENTS = 32
"""At once, so that rows are recorded in groups."""

UNSIGNED = 2_000
PROCESSES = 2
"""That answer requests, each with a log of its own."""

LINES = PROCESSES * 2
"""At most: a process writes one for the first, and one with the count if a minute passes."""


@contextlib.contextmanager
def constraint(arena: Arena, name: str) -> Iterator[None]:
    """Have PostgreSQL refuse rows of some names in the block."""
    table = "ALTER TABLE file_sync"
    arena.stack.query(f"{table} ADD CONSTRAINT {name} CHECK (file_name NOT LIKE '%/refused-%')")
    try:
        yield
    finally:
        arena.stack.query(f"{table} DROP CONSTRAINT {name}")


@pytest.mark.faults
def test_a_row_that_postgresql_refuses_takes_no_other_along(arena: Arena) -> None:
    with (
        constraint(arena, "own"),
        arena.trial(f"rows that PostgreSQL refuses, among {REQUESTS}") as trial,
    ):

        def send(number: int) -> int | None:
            kind = "plain" if number % 8 else "refused"
            return trial.client.send(trial.client.asked(f"plain/500/{kind}-{number}"))

        with ThreadPoolExecutor(CLIENTS) as clients:
            statuses = list(clients.map(send, range(REQUESTS)))
        assert statuses == [201 if number % 8 else 400 for number in range(REQUESTS)]
        trial.times = statuses.count(400)


@pytest.mark.faults
def test_requests_that_are_refused_do_not_fill_the_log(unlimited: Arena) -> None:
    log = unlimited.stack.serve.log
    with unlimited.trial(f"refused requests, at most {LINES} lines in the log") as trial:
        seen = len(log.read_text())
        with Caller(unlimited.stack.port) as caller:
            headers = {"Content-Type": "application/json", "Authorization": "0" * 64}
            for _ in range(UNSIGNED):
                assert caller.call("POST", "/sync/", b"{}", headers)[0] == 401
        lines = log.read_text()[seen:].splitlines()
        assert 1 <= len([line for line in lines if "requests refused" in line]) <= LINES
        trial.times = UNSIGNED
        trial.send("plain", count=5)
