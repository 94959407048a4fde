"""Putting failed objects back by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local.retry import InvalidTime, moment
from tests.helpers.paths import ROOT
from tests.helpers.servers import execute

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ROW = """
INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id, state,
                       last_error, attempts, claimed_at)
VALUES ('o', 'r', 'name', 'image/png', sha256('{0}'), 'q', '{1}', {2}, 8, now())
"""
ENDED = """
INSERT INTO sync_attempt (file_sync_id, attempt, outcome, reason, started_at, finished_at)
SELECT id, attempts, 'failed', last_error, now(), now() - interval '{1}'
  FROM file_sync WHERE payload_checksum = sha256('{0}')
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", NOW - timedelta(minutes=90)),
        ("36h", NOW - timedelta(hours=36)),
        ("7d", NOW - timedelta(days=7)),
        ("10s", NOW - timedelta(seconds=10)),
        ("2026-01-30", datetime(2026, 1, 30, tzinfo=UTC)),
        ("2026-01-30T10:00+02:00", datetime(2026, 1, 30, 8, tzinfo=UTC)),
    ],
)
def test_a_moment_is_a_time_or_how_long_ago(text: str, expected: datetime) -> None:
    assert moment(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "m", "yesterday", "-3h", "9999999999d", "3 h"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(InvalidTime):
        moment(text, NOW)


def retry(url: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local", "retry", *arguments],
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), "DATABASE_URL": url},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def url(database_url: str) -> str:
    """A ledger with a queued row, 1, and rows that failed now and two days ago, 2 and 3."""
    execute(
        database_url,
        ROW.format("one", "queued", "NULL"),
        ROW.format("two", "failed", "'gone'"),
        ROW.format("three", "failed", "'gone'"),
        ENDED.format("two", "0 s"),
        ENDED.format("three", "2 days"),
    )
    return database_url


@pytest.mark.parametrize(
    ("arguments", "number"),
    [
        (["--all"], 2),
        (["--failed-since", "1d"], 1),
        (["--id", "3"], 1),
        (["--id", "1", "--id", "3"], 1),
        (["--id", "999"], 0),
    ],
)
def test_the_chosen_failed_rows_are_queued_again(
    arguments: list[str], number: int, url: str, tmp_path: Path
) -> None:
    dry = retry(url, tmp_path, *arguments, "--dry-run")
    assert f"{number} failed objects would be queued again" in dry.stdout, dry.stderr
    done = retry(url, tmp_path, *arguments)
    assert f"{number} failed objects are queued again" in done.stdout, done.stderr
    again = retry(url, tmp_path, *arguments)
    assert "0 failed objects are queued again" in again.stdout


@pytest.mark.parametrize("arguments", [[], ["--all", "--id", "1"], ["--id", "0"]])
def test_an_unclear_choice_is_refused(arguments: list[str], url: str, tmp_path: Path) -> None:
    assert retry(url, tmp_path, *arguments).returncode != 0
