from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.metrics.catalog import BYTES, CACHE_ERRORS, STAGE_SECONDS
from shared.metrics.shared_files import SUM, SharedFiles
from shared.metrics.tally import Tally
from tests.helpers.paths import ROOT
from tests.helpers.waiting import until

COUNT = """
import os, sys
from pathlib import Path
from shared.metrics.catalog import BYTES
from shared.metrics.shared_files import SharedFiles
from shared.metrics.tally import process
files = SharedFiles(Path(sys.argv[1]), process)
files.attach()
"""
ONCE = COUNT + "process.count(BYTES); files.close()"
THEN_WAIT = COUNT + "process.count(BYTES); files.write(); print(1, flush=True); sys.stdin.read()"
FORKED = (
    COUNT
    + """
process.count(BYTES)
files.write()
child = os.fork()
if not child:
    process.count(BYTES, by=10)
    files.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
process.count(BYTES, by=10)
files.close()
"""
)


def run(folder: Path, code: str = ONCE) -> None:
    subprocess.run([sys.executable, "-c", code, str(folder)], cwd=ROOT, check=True, timeout=60)


@contextmanager
def running(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has counted once, and lives."""
    command = [sys.executable, "-c", THEN_WAIT, str(folder)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"1\n"
        yield process
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)


def total(folder: Path) -> float:
    return SharedFiles(folder, Tally()).totals().get(BYTES.name, {}).get((), 0.0)


def places(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.db")}


def test_processes_one_after_another_share_a_file_and_no_count_goes_back(tmp_path: Path) -> None:
    for number in range(1, 4):
        run(tmp_path)
        assert total(tmp_path) == number
    assert places(tmp_path) == {"0.db"}


def test_processes_at_the_same_time_have_a_file_each(tmp_path: Path) -> None:
    with running(tmp_path), running(tmp_path):
        assert places(tmp_path) == {"0.db", "1.db"}
        assert total(tmp_path) == 2


def test_a_killed_process_leaves_its_counts_and_its_place(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
    run(tmp_path)
    assert places(tmp_path) == {"0.db"}
    assert total(tmp_path) == 2


def test_a_forked_process_takes_a_place_of_its_own(tmp_path: Path) -> None:
    run(tmp_path, FORKED)
    assert places(tmp_path) == {"0.db", "1.db"}
    assert total(tmp_path) == 21


def test_a_file_that_a_crash_cut_is_begun_anew_and_hides_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(tmp_path):
        run(tmp_path)  # in the second place
    (tmp_path / "0.db").write_bytes(b"\x40\x01\x00\x00" + os.urandom(4_092))
    assert total(tmp_path) == 1
    assert "metrics file not readable" in caplog.text
    run(tmp_path)
    assert total(tmp_path) == 2


def test_the_first_addition_starts_the_writing(tmp_path: Path) -> None:
    tally = Tally()
    files = SharedFiles(tmp_path / "made", tally)
    files.attach()
    assert not (tmp_path / "made").exists()
    tally.count(CACHE_ERRORS, by=2)
    until((tmp_path / "made" / "0.db").exists)
    files.close()
    assert SharedFiles(tmp_path / "made", Tally()).totals() == {CACHE_ERRORS.name: {(): 2.0}}


def test_a_histogram_is_kept_by_bucket_and_sum(tmp_path: Path) -> None:
    tally = Tally()
    files = SharedFiles(tmp_path, tally)
    for _ in range(2):
        tally.observe(STAGE_SECONDS, [0.001, 0.002, 1e9], "placed")
        files.write()
    last = str(len(STAGE_SECONDS.buckets))
    values = files.totals()[STAGE_SECONDS.name]
    assert values["placed", "0"] == 4
    assert values["placed", last] == 2
    assert values["placed", SUM] == pytest.approx(2e9)
    files.close()


def test_a_folder_that_cannot_be_written_costs_no_count(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "file"
    folder.touch()
    tally = Tally()
    files = SharedFiles(folder, tally)
    tally.count(BYTES, by=3)
    files.write()
    assert "metrics not written" in caplog.text
    folder.unlink()
    files.write()
    assert total(folder) == 3
    files.close()
