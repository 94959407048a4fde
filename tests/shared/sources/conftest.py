"""A source whose server, settings and clock a test chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import pytest

from shared.config.settings import Settings
from shared.domain import Wanted
from shared.sources.s3.source import S3Source

QUEUED_AT = datetime(2026, 1, 1, tzinfo=UTC)


class NewSource(Protocol):
    """Make a source; it is closed after the test."""

    def __call__(
        self, endpoint: str = "", *, settings: dict[str, str] | None = None
    ) -> S3Source: ...


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    folder = tmp_path / "storage" / ".incoming"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def new_source() -> Iterator[NewSource]:
    made: list[S3Source] = []

    def new(endpoint: str = "", *, settings: dict[str, str] | None = None) -> S3Source:
        values = {
            "AWS_S3_BUCKET_NAME": "bucket",
            "AWS_S3_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_S3_SECRET_ACCESS_KEY": "hushhush",
            "AWS_S3_REGION_NAME": "us-east-1",
            "AWS_ENDPOINT_URL_S3": endpoint,
            "SOURCE_STALL_SECONDS": "2",
            **(settings or {}),
        }
        made.append(S3Source(Settings.from_mapping(values)))
        return made[-1]

    yield new
    for source in made:
        source.close()


@pytest.fixture
def wanted() -> Callable[..., Wanted]:
    def make(
        key: str = "key", row_id: int = 1, attempt: int = 1, *, seconds_later: int = 0
    ) -> Wanted:
        claimed_at = QUEUED_AT + timedelta(seconds=seconds_later)
        return Wanted(row_id, attempt, key, QUEUED_AT, claimed_at)

    return make
