"""docs/operations.md on a copy that is neither complete nor whole: its commands put it right.

They are typed in the order of the page, beside a running service, and what they print has the
documented form. In the end every object of the bucket is compared with the storage, by nothing of
ours.
"""

from __future__ import annotations

import random
import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.objects import BUCKET
from tests.docs.pages import blocks
from tests.faults.harness.installation import Installation, array, body, digests, names
from tests.faults.harness.real_stores import rclone
from tests.helpers.paths import ROOT
from tests.helpers.servers import execute

PAGE = ROOT / "docs" / "operations.md"
LONG, SHORT = 50_000, 500
COMMAND_SECONDS = 600.0
"""Goal for all commands together at the size of the long form."""

REFUSED = """
INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id, state,
                       last_error, failed_at, attempts, claimed_at)
SELECT 'o', 'r', name, 'image/jpeg', sha256(name::bytea), 'q', 'failed',
       'The object store refuses access: 403 AccessDenied', now(), 8, now()
  FROM unnest(%s::text[]) AS name
"""


def documented() -> list[tuple[str, list[str]]]:
    """Return the page's commands with the lines that they print, in its order."""
    found: list[tuple[str, list[str]]] = []
    for block in blocks(PAGE, "console"):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


def form(line: str) -> str:
    """Return a line without what differs from run to run: numbers, times, names, spacing."""
    line = re.sub(r"[a-z]+/\d+/\d+ ü\.jpg", "NAME", line)
    line = re.sub(r"\d[\d,.:]*(?: [KMGT]?i?B\b)?", "N", line)
    return re.sub(r"\s+", " ", line).strip()


@pytest.fixture
def number(*, long: bool) -> int:
    """How many objects were copied before everything went wrong."""
    return LONG if long else SHORT


def placed(number: int) -> list[str]:
    """Return the names of the objects that are in the bucket from the beginning."""
    some = several(number)
    kinds = {"photos": number, "blocked": some, "refused": some, "unannounced": number // 100}
    return [name for kind, many in kinds.items() for name in names(kind, many)]


def several(number: int) -> int:
    """Return how many objects fail for one reason."""
    return max(number // 150, 1)


@pytest.fixture
def installation(tmp_path: Path, database_url: str, number: int) -> Iterator[Installation]:
    home = tmp_path / "home"
    home.mkdir()
    with rclone(tmp_path, {name: body(name) for name in placed(number)}) as store:
        made = Installation(home, store, database_url)
        try:
            yield made
        finally:
            made.service.stop()


def break_it(made: Installation, number: int) -> None:
    """Leave an installation with every kind of fault, all of whose causes are gone."""
    some = several(number)
    whole, absent = names("photos", number), names("absent", some)
    blocked, refused = names("blocked", some), names("refused", some)
    made.service.start()
    for name in blocked:  # a folder is in the way
        (made.storage / name / "folder").mkdir(parents=True)
    made.request([*whole, *absent, *blocked])
    execute(made.url, REFUSED % array(refused))
    made.settle()
    assert made.count("state = 'synced'") == number
    assert made.count("state = 'failed'") == 3 * some

    chance = random.Random(number)
    gone = chance.sample(whole, number // 250)
    damaged = chance.sample(sorted(set(whole) - set(gone)), max(number // 2500, 1))
    for name in gone:
        (made.storage / name).unlink()
    for name in damaged:
        (made.storage / name).write_bytes(bytes(2_000))

    made.upload(absent)
    shutil.rmtree(made.storage / "blocked")


def test_the_documented_commands_make_a_copy_complete_and_whole(
    installation: Installation, number: int, tmp_path: Path
) -> None:
    break_it(installation, number)
    seconds = 0.0
    for command, lines in documented():
        begun = time.monotonic()
        printed = installation.typed(command)
        installation.settle()
        seconds += time.monotonic() - begun
        sys.stdout.write(f"$ {command}\n{printed}")
        shown = {form(line) for line in printed.splitlines()}
        for line in lines:
            if line.strip() != "…":
                assert form(line) in shown, f"{command}\n{line}\n\nprinted:\n{printed}"
    sys.stdout.write(f"{seconds:.0f} s for all commands\n")
    assert seconds < COMMAND_SECONDS

    assert installation.count("state <> 'synced'") == 0
    objects = digests(tmp_path / "rclone" / "data" / BUCKET)
    files = digests(installation.storage)
    assert len(objects) == len(placed(number)) + several(number)
    assert {name: files.get(name) for name in objects} == objects
