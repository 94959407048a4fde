"""The programs that we are measured against, run as their users run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import ledgers
from bench.objects import ObjectServer
from bench.worker import set_aside
from local.servers.postgres import native_binaries
from local.servers.programs import find

S5CMD_WORKERS = (16, 32, 64, 128, 256)
RCLONE_TRANSFERS = (16, 32, 64)
"""What is tried before anything is compared; the fastest is taken. s5cmd's own default is 256."""

LIMIT_SECONDS = 3_600.0
"""No program takes longer."""

BARE_TABLE = """
DROP TABLE IF EXISTS bare;
CREATE TABLE bare (LIKE file_sync INCLUDING ALL);
"""
"""The ledger's table with its keys and indexes, but without its triggers."""

BARE_INSERT = """
INSERT INTO bare (oeid, ref_id, file_name, file_type, payload_checksum, request_id)
VALUES ('object', 'reference', 'load/' || random() || '.jpg', 'image/jpeg',
        sha256(random()::text::bytea), 'a6a17bea-6d7c-4d7a-9f1f-0d8f4e9f1c55');
"""


BARE_SELECT = """
\\set n random(1, {rows})
SELECT payload_checksum, request_id, state, attempts, leased_until, last_error, size_bytes, sha256,
       verified_by, created_at, synced_at, failed_at, next_attempt_at, queued_at
  FROM file_sync WHERE payload_checksum = sha256(int8send(:n::bigint));
"""
"""The columns of `lookup.sql`, by the same index."""


@dataclass(frozen=True, slots=True)
class Copied:
    """How long a copy took.

    Attributes:
        seconds: until the program ended; nothing need be on disk by then.
        synced_seconds: until `sync --file-system` had put it there, too.
    """

    seconds: float
    synced_seconds: float


def bare_inserts(url: str, clients: int, seconds: int) -> float:
    """Have pgbench insert rows into a table that is equal but for the triggers.

    Each insert is prepared, of one row, and commits by itself.

    Returns:
        Inserts a second.
    """
    for statement in BARE_TABLE.strip().split(";\n"):
        ledgers.execute(url, statement.rstrip(";"))
    rate = _pgbench(url, BARE_INSERT, clients, seconds)
    ledgers.execute(url, "DROP TABLE bare")
    return rate


def bare_selects(url: str, rows: int, clients: int, seconds: int) -> float:
    """Have pgbench read random rows of a ledger by their signature, and return how many a second.

    Args:
        url: of a ledger that `ledgers.make` made.
        rows: how many it was made with.
        clients: that read at the same time.
        seconds: how long.
    """
    return _pgbench(url, BARE_SELECT.format(rows=rows), clients, seconds)


def _pgbench(url: str, script: str, clients: int, seconds: int) -> float:
    command = [str(native_binaries() / "pgbench"), "-n", "-M", "prepared", "-c", str(clients)]
    command += ["-T", str(seconds), "-f", "/dev/stdin", url]
    done = subprocess.run(command, input=script, check=True, capture_output=True, text=True)
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    if found is None:
        raise ValueError(done.stdout)
    return float(found[1])


def s5cmd(server: ObjectServer, keys: Sequence[str], folder: Path, workers: int) -> Copied:
    """Have s5cmd copy objects named one by one.

    Args:
        server: where they are.
        keys: their names.
        folder: where they go.
        workers: `--numworkers`.
    """
    commands = folder.with_suffix(".s5cmd")
    lines = [f"cp s3://{server.bucket}/{key} {folder}/{key}\n" for key in keys]
    commands.write_text("".join(lines))
    line = [program("s5cmd"), "--endpoint-url", server.endpoint, "--log", "error"]
    line += ["--numworkers", str(workers), "run", str(commands)]
    return _timed(line, server, folder, len(keys))


def rclone(server: ObjectServer, keys: Sequence[str], folder: Path, transfers: int) -> Copied:
    """Have rclone copy objects named in a file.

    Args:
        server: where they are.
        keys: their names.
        folder: where they go.
        transfers: `--transfers`, and as many `--checkers`, which ask for each object's size.
    """
    names = folder.with_suffix(".rclone")
    names.write_text("\n".join(keys))
    line = rclone_line("copy", server, transfers)
    line += ["--files-from", str(names), "--no-traverse", "--transfers", str(transfers)]
    line += [f":s3:{server.bucket}", str(folder)]
    return _timed(line, server, folder, len(keys))


def rclone_line(verb: str, server: ObjectServer, checkers: int) -> list[str]:
    """Return the beginning of a command line of rclone that reaches a server of objects."""
    line = [program("rclone"), verb, "--config", os.devnull, "--quiet"]
    line += ["--checkers", str(checkers), "--s3-provider", "Other"]
    line += ["--s3-endpoint", server.endpoint, "--s3-env-auth", "--s3-region", "us-east-1"]
    return line


def fastest(settings: Sequence[int], take: Callable[[int], float]) -> int:
    """Return the setting of a program with which it takes the fewest seconds, in one try each."""
    return min(settings, key=take)


def curl(server: ObjectServer, key: str, file: Path) -> float:
    """Have curl write one object to a file, unverified and not synced, and return the seconds."""
    command = [find("curl", "curl"), "--silent", "--fail", "--output", str(file)]
    before = time.perf_counter()
    subprocess.run([*command, f"{server.endpoint}/{server.bucket}/{key}"], check=True)
    taken = time.perf_counter() - before
    file.unlink()
    return taken


def timed(line: Sequence[str], environment: Mapping[str, str], stdin: str = "") -> float:
    """Run a program that must succeed, and return the seconds.

    Args:
        line: the program with its arguments.
        environment: all of it.
        stdin: text for its standard input.

    Raises:
        AssertionError: it failed; the text is what it printed.
        TimeoutExpired: it took more than `LIMIT_SECONDS`, and is killed.
    """
    before = time.perf_counter()
    done = subprocess.run(
        line,
        env=dict(environment),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_SECONDS,
    )
    taken = time.perf_counter() - before
    if done.returncode:
        raise AssertionError(f"{' '.join(line)}: {done.stderr or done.stdout}")
    return taken


def variables(server: ObjectServer, home: Path) -> dict[str, str]:
    """Return the environment of a program that reads objects."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), **server.login}


def _timed(line: Sequence[str], server: ObjectServer, folder: Path, number: int) -> Copied:
    folder.mkdir(exist_ok=True)
    os.sync()  # what others wrote is not for this one to wait for
    environment = variables(server, folder.parent)
    taken = timed(line, environment)
    synced = taken + timed([find("sync", "coreutils"), "--file-system", str(folder)], environment)
    copied = sum(1 for path in folder.rglob("*") if path.is_file())
    if copied != number:
        raise AssertionError(f"{line[0]} copied {copied} of {number}")
    set_aside(folder)
    return Copied(taken, synced)


def program(name: str) -> str:
    """Return the path of a program that requirements/bench.txt installs, or that is on PATH.

    Raises:
        ProgramMissing: it is in neither place.
    """
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else find(name, name)
