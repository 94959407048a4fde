"""What the commands look at before they start."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local.provisioning import check_database
from tests.helpers.paths import ROOT
from tests.helpers.project import environment
from tests.helpers.servers import execute, free_port

SERVING = ("serve", "trigger", "scheduler")


@pytest.fixture
def latin1_url(postgres_url: str) -> Iterator[str]:
    """The URL of a database that cannot hold every text."""
    name = f"test_{uuid.uuid4().hex}"
    options = "TEMPLATE template0 ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C'"
    execute(postgres_url, f"CREATE DATABASE {name} {options}")
    yield postgres_url.rpartition("/")[0] + f"/{name}"
    execute(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


def test_no_process_starts_on_a_database_that_cannot_hold_every_text(
    latin1_url: str, tmp_path: Path
) -> None:
    def start(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "local", command],
            cwd=tmp_path,
            env=environment(
                PYTHONPATH=str(ROOT),
                DATA_DIR=str(tmp_path),
                PORT=str(free_port()),
                DATABASE_URL=latin1_url,
                RABBITMQ_URL=f"amqp://127.0.0.1:{free_port()}",
                SECRET_KEY="k" * 40,
            ),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    line = (
        "Invalid setting: DATABASE_URL: the database's encoding is LATIN1;"
        " create it with ENCODING 'UTF8'\n"
    )
    with ThreadPoolExecutor(2) as threads:
        for done in threads.map(start, (*SERVING, "migrate")):
            assert (done.returncode, done.stderr) == (1, line)


def test_a_database_that_is_away_may_come_back() -> None:
    check_database({"DATABASE_URL": f"postgresql://127.0.0.1:{free_port()}/none"})
    check_database({})
