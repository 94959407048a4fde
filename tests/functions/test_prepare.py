"""Every handler finds a missing or invalid setting when its process starts, not at a client."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import sys
from importlib import import_module
from shared.errors import SettingError

handler = import_module(f"functions.{sys.argv[1]}.handler")
try:
    handler.prepare()
except SettingError as error:
    sys.exit(str(error))
"""
COMPLETE = {
    "SECRET_KEY": "0123456789abcdef",
    "DATABASE_URL": "postgresql://sync@127.0.0.1:1/sync",
    "STORAGE_PATH": "/nowhere",
    "AWS_S3_BUCKET_NAME": "bucket",
    "AWS_S3_REGION_NAME": "eu-central-1",
    "CALLBACK_URL": "https://client.test/hook",
    "CALLBACK_SECRET": "whsec_" + "c2VjcmV0" * 6,
    "S3_EVENTS_SECRET": "0123456789abcdef",
    "LOCAL_RUN": "1",
}
NEEDED = [
    ("ingest", "SECRET_KEY"),
    ("ingest", "DATABASE_URL"),
    ("stats", "DATABASE_URL"),
    ("requeue", "DATABASE_URL"),
    ("notify", "DATABASE_URL"),
    ("notify", "CALLBACK_URL"),
    ("notify", "CALLBACK_SECRET"),
    ("sync_worker", "DATABASE_URL"),
    ("sync_worker", "STORAGE_PATH"),
    ("sync_worker", "AWS_S3_BUCKET_NAME"),
    ("reconcile", "DATABASE_URL"),
    ("reconcile", "STORAGE_PATH"),
    ("reconcile", "AWS_S3_BUCKET_NAME"),
    ("s3_events", "DATABASE_URL"),
    ("s3_events", "AWS_S3_BUCKET_NAME"),
    ("admin", "DATABASE_URL"),
    ("admin", "STORAGE_PATH"),
]


def prepare(function: str, **variables: str) -> tuple[int, str]:
    """Return the exit status and the last line of a process that prepares a function."""
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, function],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=variables,
    )
    return ended.returncode, ended.stderr.strip().rpartition("\n")[2]


@pytest.mark.parametrize(
    "function",
    ["ingest", "stats", "requeue", "sync_worker", "reconcile", "s3_events", "admin", "notify"],
)
def test_a_function_with_its_settings_starts_without_a_server(function: str) -> None:
    assert prepare(function, **COMPLETE) == (0, "")


@pytest.mark.parametrize(("function", "variable"), NEEDED)
def test_a_missing_setting_stops_the_start_and_is_named(function: str, variable: str) -> None:
    others = {name: text for name, text in COMPLETE.items() if name != variable}
    status, line = prepare(function, **others)
    assert status == 1
    assert f"{variable} is not set" in line


@pytest.mark.parametrize(
    "function",
    ["ingest", "stats", "requeue", "sync_worker", "reconcile", "s3_events", "admin", "notify"],
)
def test_an_invalid_setting_stops_the_start_and_is_named(function: str) -> None:
    status, line = prepare(function, **{**COMPLETE, "DATABASE_URL": "mysql://hidden@h/d"})
    assert status == 1
    assert "DATABASE_URL" in line
    assert "hidden" not in line


def test_on_lambda_a_queue_without_a_broker_stops_the_start() -> None:
    status, line = prepare("requeue", **{**COMPLETE, "AWS_LAMBDA_FUNCTION_NAME": "requeue"})
    assert (status, line) == (1, "Invalid setting: RABBITMQ_URL is not set")


def test_without_a_secret_events_need_no_setting_but_on_lambda_they_do() -> None:
    assert prepare("s3_events", LOCAL_RUN="1") == (0, "")
    status, line = prepare("s3_events", LOCAL_RUN="1", AWS_LAMBDA_FUNCTION_NAME="s3-events")
    assert (status, line) == (1, "Invalid setting: AWS_S3_BUCKET_NAME is not set")
