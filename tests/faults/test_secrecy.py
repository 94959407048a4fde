"""Secrets in no log, error or process list; guesses limited; comparisons that take one time."""

from __future__ import annotations

import ast
import http.client
import inspect
import random
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from shared.errors import SignatureInvalid
from shared.http import signing
from tests.faults.harness.arena import Arena
from tests.faults.harness.stack import S3_SECRET, SECRET
from tests.helpers.tcp_proxy import Condition
from tests.helpers.waiting import until

BODY = b'{"guess": 1}'
DIFFERENT = 4.5
"""|t| of Welch's test beyond which two timings are held to differ: what dudect uses, since at
some thousand samples less happens by chance ("Dude, is my code constant time?", 2017)."""


def test_no_secret_shows_in_logs_or_process_lists(arena: Arena) -> None:
    stack = arena.stack
    urls = (stack.servers.database_url, stack.servers.broker_url)
    secrets = [SECRET, S3_SECRET, *(urlsplit(url).password or "" for url in urls)]
    assert all(secrets)
    with arena.trial("secrets looked for") as trial, trial.load():
        # Every error message there is about servers gets its turn.
        for server in stack.servers.all:
            server.proxy.set_condition(Condition.RESET)
            time.sleep(0.5)
            server.proxy.set_condition(Condition.NORMAL)
        trial.back()
        shown = "".join(service.log.read_text(errors="replace") for service in stack.services)
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                shown += path.read_text(errors="replace")
            except OSError:
                continue
        assert [secret for secret in secrets if secret in shown] == []


def post(port: int, signature: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    try:
        connection.request("POST", "/sync/", BODY, {"Authorization": signature})
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.fixture
def one_process(arena: Arena) -> Iterator[Arena]:
    """The service with one HTTP process: of two, each finds memcached too slow by itself."""
    with arena.stack.served_with(WORKERS="1"):
        yield arena


def test_guesses_of_signatures_are_limited_by_address(one_process: Arena) -> None:
    arena = one_process
    with arena.trial("signatures guessed") as trial:
        statuses: list[int] = []

        def limited() -> bool:
            """Guess; a memcached that is too slow for a while limits nobody meanwhile."""
            statuses[:] = [post(arena.stack.port, f"{number:064x}") for number in range(80)]
            return 412 in statuses

        until(limited, "guesses to be limited")
        trial.times = len(statuses)
        assert set(statuses) <= {401, 412}
        assert statuses.count(401) <= 60
        trial.send("plain", count=3)  # who has the key is not locked out by who has not
        arena.stack.flush_memcached()


def test_signatures_are_compared_by_the_function_made_for_it() -> None:
    tree = ast.parse(inspect.getsource(signing))
    compared = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert "hmac.compare_digest" in compared
    equalities = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        and any(isinstance(o, ast.Eq | ast.NotEq) for o in node.ops)
    ]
    assert not [node for node in equalities if "digest" in ast.unparse(node)]


@pytest.mark.faults
def test_a_nearly_right_signature_takes_no_longer_than_a_wrong_one(seed: int) -> None:
    keys = (SECRET.encode(),)
    right = signing.sign(keys[0], BODY)
    flipped = "0" if right[0] != "0" else "1"
    early, late = flipped + right[1:], right[:-1] + ("0" if right[-1] != "0" else "1")
    chance = random.Random(seed)

    def measure() -> float:
        times: dict[str, list[int]] = {early: [], late: []}
        for _ in range(40_000):
            guess = early if chance.random() < 0.5 else late
            began = time.perf_counter_ns()
            try:
                signing.verify(keys, BODY, guess)
            except SignatureInvalid:
                times[guess].append(time.perf_counter_ns() - began)
        cut = [sorted(values)[: len(values) * 9 // 10] for values in times.values()]
        means = [statistics.fmean(values) for values in cut]
        errors = [statistics.variance(values) / len(values) for values in cut]
        return float(abs(means[0] - means[1]) / sum(errors) ** 0.5)

    # A busy machine can fake a difference, but not three times running.
    until(lambda: measure() < DIFFERENT, "two timings that do not differ", seconds=60.0)
