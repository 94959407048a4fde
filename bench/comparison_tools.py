"""The programs that we are measured against, run as their users run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench import ledgers
from bench.objects import ObjectServer
from bench.worker import set_aside
from local.servers.postgres import native_binaries
from local.servers.programs import find

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


def bare_inserts(url: str, clients: int, seconds: int) -> float:
    """Have pgbench insert rows into a table that is equal but for the triggers.

    Each insert is prepared, of one row, and commits by itself.

    Returns:
        Inserts a second.
    """
    for statement in BARE_TABLE.strip().split(";\n"):
        ledgers.execute(url, statement.rstrip(";"))
    command = [str(native_binaries() / "pgbench"), "-n", "-M", "prepared", "-c", str(clients)]
    command += ["-T", str(seconds), "-f", "/dev/stdin", url]
    done = subprocess.run(command, input=BARE_INSERT, check=True, capture_output=True, text=True)
    ledgers.execute(url, "DROP TABLE bare")
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    if found is None:
        raise ValueError(done.stdout)
    return float(found[1])


def s5cmd(server: ObjectServer, keys: Sequence[str], folder: Path) -> float:
    """Have s5cmd copy objects named one by one, and return the seconds."""
    commands = folder.with_suffix(".s5cmd")
    lines = [f"cp s3://{server.bucket}/{key} {folder}/{key}\n" for key in keys]
    commands.write_text("".join(lines))
    program = [_program("s5cmd"), "--endpoint-url", server.endpoint, "--log", "error"]
    return _timed([*program, "run", str(commands)], server, folder, len(keys))


def rclone(server: ObjectServer, keys: Sequence[str], folder: Path) -> float:
    """Have rclone copy objects named in a file, and return the seconds."""
    names = folder.with_suffix(".rclone")
    names.write_text("\n".join(keys))
    command = [_program("rclone"), "copy", "--config", os.devnull, "--quiet"]
    command += ["--files-from", str(names), "--no-traverse", "--transfers", "16"]
    command += ["--s3-provider", "Other", "--s3-endpoint", server.endpoint]
    command += ["--s3-env-auth", "--s3-region", "us-east-1", f":s3:{server.bucket}", str(folder)]
    return _timed(command, server, folder, len(keys))


def curl(server: ObjectServer, key: str, file: Path) -> float:
    """Have curl write one object to a file, unverified and not synced, and return the seconds."""
    command = [find("curl", "curl"), "--silent", "--fail", "--output", str(file)]
    before = time.perf_counter()
    subprocess.run([*command, f"{server.endpoint}/{server.bucket}/{key}"], check=True)
    taken = time.perf_counter() - before
    file.unlink()
    return taken


def _timed(command: Sequence[str], server: ObjectServer, folder: Path, number: int) -> float:
    folder.mkdir(exist_ok=True)
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder.parent), **server.login}
    before = time.perf_counter()
    subprocess.run(command, check=True, env=variables, stdout=subprocess.DEVNULL)
    taken = time.perf_counter() - before
    copied = sum(1 for path in folder.rglob("*") if path.is_file())
    if copied != number:
        raise AssertionError(f"{command[0]} copied {copied} of {number}")
    set_aside(folder)
    return taken


def _program(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else find(name, name)
