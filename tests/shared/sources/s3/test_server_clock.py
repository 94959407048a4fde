from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest

from shared import errors
from shared.domain import Wanted
from shared.sources.s3.server_clock import ServerClock
from tests.helpers.s3_server import Answer, Asked, FaultyServer, error, s3_object
from tests.shared.sources.conftest import NewSource
from tests.shared.sources.s3.test_source import SECONDS, part_of

HOUR = 3600.0
NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        (formatdate(NOW), None),
        (formatdate(NOW + 299), None),
        (formatdate(NOW + HOUR), NOW + HOUR),
        (formatdate(NOW - HOUR), NOW - HOUR),
        ("", None),
        ("Sun, 99 Nov 2026 06:00:00 GMT", None),
    ],
)
def test_the_stores_time_is_used_where_ours_is_wrong(date: str, seconds: float | None) -> None:
    clock = ServerClock(lambda: NOW)
    clock.learn(date)
    assert clock.time() == seconds


def test_a_clock_that_was_set_right_is_used_again() -> None:
    clock = ServerClock(lambda: NOW)
    clock.learn(formatdate(NOW + HOUR))
    clock.learn("nonsense")
    assert clock.time() == NOW + HOUR
    clock.learn(formatdate(NOW))
    assert clock.time() is None


@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
def test_a_machine_whose_clock_is_off_is_refused_once(
    ahead: float, tmp_path: Path, new_source: NewSource, wanted: Callable[..., Wanted]
) -> None:
    content = s3_object(b"bytes")

    def rule(asked: Asked) -> Answer:
        sent = time.strptime(asked.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
        now = time.time() + ahead
        if abs(now - (time.mktime(sent) - time.timezone)) > 900:
            return error(403, "RequestTimeTooSkewed", Date=formatdate(now, usegmt=True))
        return content(asked)

    with FaultyServer(rule) as server:
        source = new_source(server.url)
        first = source.fetch(wanted(), part_of(tmp_path)).exception(SECONDS)
        assert isinstance(first, errors.CredentialsRefused)
        assert source.fetch(wanted(), part_of(tmp_path)).result(SECONDS).size == 5
