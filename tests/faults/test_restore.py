"""The ledger is lost: restored from its dump, or from the bucket alone. See docs/operations.md."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.objects import BUCKET
from local.servers.postgres import embedded_binaries
from tests.docs.pages import blocks
from tests.faults.harness.installation import Installation, body, digests, names
from tests.faults.harness.real_stores import rclone
from tests.helpers.paths import ROOT
from tests.helpers.servers import execute, query

PAGE = ROOT / "docs" / "operations.md"
IDENTITY = "SELECT id FROM installation"


@pytest.fixture
def number(*, long: bool) -> int:
    """How many objects there are before the dump, and how many come after it."""
    return 10_000 if long else 50


@pytest.fixture
def installation(tmp_path: Path, database_url: str, number: int) -> Iterator[Installation]:
    """A service that has copied `number` objects; as many are in the bucket besides."""
    home = tmp_path / "home"
    home.mkdir()
    keys = [*names("before", number), *names("after", number)]
    with rclone(tmp_path, {key: body(key) for key in keys}) as store:
        made = Installation(home, store, database_url)
        try:
            made.service.start()
            made.request(names("before", number))
            made.settle()
            yield made
        finally:
            made.service.stop()


def inodes(folder: Path) -> dict[str, int]:
    """Return the file number of every stored file: another one if it was placed again."""
    return {
        str(path.relative_to(folder)): path.stat().st_ino
        for path in folder.rglob("*.jpg")
        if ".incoming" not in path.parts
    }


def is_complete_and_whole(made: Installation, bucket: Path, number: int) -> None:
    """Check the copy by the commands, and by the bytes."""
    assert "the copy is complete and correct" in made.typed("./sync reconcile")
    assert f"{2 * number:,}  ok" in made.typed("./sync verify --all")
    assert digests(made.storage) == digests(bucket)


def shell(made: Installation, url: str, script: str) -> None:
    """Type a block of the page in the folder of the dump."""
    programs = f"{embedded_binaries()}:{made.variables['PATH']}"
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=made.folder,
        env={**made.variables, "DATABASE_URL": url, "PATH": programs},
        check=True,
        timeout=600,
    )


def test_what_was_copied_after_the_dump_is_found_again(
    installation: Installation, number: int, tmp_path: Path, postgres_url: str
) -> None:
    dump, restore = blocks(PAGE, "sh")
    shell(installation, installation.url, dump)
    identity = query(installation.url, IDENTITY)
    installation.request(names("after", number))
    installation.settle()
    before = inodes(installation.storage)
    assert len(before) == 2 * number

    installation.service.stop()
    execute(installation.url, "DROP SCHEMA public CASCADE")
    begun = time.monotonic()
    shell(installation, postgres_url, restore)
    installation.use(postgres_url)
    installation.typed("./sync migrate")
    assert query(postgres_url, IDENTITY) == identity
    installation.service.start()
    found = installation.typed("./sync reconcile --enqueue")
    assert f"{number:,}  were missed" in found
    assert f"{number:,}  were recorded to be copied" in found
    installation.settle()
    is_complete_and_whole(installation, tmp_path / "rclone" / "data" / BUCKET, number)
    report(installation, before, begun)


@pytest.mark.faults
def test_the_ledger_is_made_again_from_the_bucket_alone(
    installation: Installation, number: int, tmp_path: Path, postgres_url: str
) -> None:
    installation.request(names("after", number))
    installation.settle()
    before = inodes(installation.storage)

    installation.service.stop()
    execute(installation.url, "DROP SCHEMA public CASCADE")
    begun = time.monotonic()
    installation.use(postgres_url)
    installation.typed("./sync migrate")
    adopted = installation.typed("./sync adopt-storage")
    assert "is used by this installation" in adopted
    installation.service.start()
    assert f"{2 * number:,}  were missed" in installation.typed("./sync reconcile --enqueue")
    installation.settle()
    is_complete_and_whole(installation, tmp_path / "rclone" / "data" / BUCKET, number)
    report(installation, before, begun)


def report(made: Installation, before: dict[str, int], begun: float) -> None:
    """Print what the drill took."""
    again = sum(before[name] != number for name, number in inodes(made.storage).items())
    sys.stdout.write(
        f"{time.monotonic() - begun:.0f} s, {again} of {len(before)} files were downloaded again\n"
    )
