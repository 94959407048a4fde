"""`make run`, in folders that only one account may enter, and with servers that die."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config

from local.client import Client
from local.environment import BUCKET
from local.servers.ports import answers
from local.servers.running import Record
from local.servers.sample_pictures import pictures
from tests.helpers.missing import missing
from tests.helpers.paths import ROOT
from tests.helpers.servers import free_port
from tests.helpers.waiting import until
from tests.local.clone import clone
from tests.local.interpreters import NOBODY, as_account, reachable_python
from tests.local.servers.test_account import ALL, DOCKER

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="is about Linux")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="is about root")

READY_SECONDS = 120.0
STOP_SECONDS = 60.0


class Run:
    """A local run: its process, and what it printed for a person."""

    def __init__(
        self, process: subprocess.Popen[str], data: Path, output: Path, port: int, s3_port: int
    ) -> None:
        self.process = process
        self.data = data
        self.s3_port = s3_port
        self._output = output
        self._port = port

    @property
    def output(self) -> str:
        """Everything that it wrote so far, log lines included."""
        return self._output.read_text()

    @property
    def curl(self) -> str:
        """The command that it invites to paste."""
        (line,) = (line for line in self.output.splitlines() if line.startswith("Try "))
        return line.removeprefix("Try ").strip()

    def wait_until_ready(self) -> None:
        until(
            lambda: "\nTry " in self.output or self.process.poll() is not None,
            seconds=READY_SECONDS,
        )
        assert self.process.poll() is None, self.output

    def stop(self) -> None:
        """Stop it and wait until it has stopped what it started."""
        self.process.terminate()
        self.process.wait(STOP_SECONDS)

    def post(self, name: str) -> int:
        """Send a request and return its status."""
        body = f'{{"oeid": "{uuid4().hex}", "ref_id": "1", "file_name": "{name}", '
        body += '"file_type": "image/jpeg"}'
        key = (self.data / "secret_key").read_text().encode()
        url = f"http://127.0.0.1:{self._port}"
        return Client(url, key).post(body.encode()).status

    def s3_client(self) -> Any:
        """Return a client of its embedded S3, such as a person would make."""
        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.s3_port}",
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(proxies={}),
        )

    @property
    def postmaster(self) -> int:
        return int((self.data / "postgres" / "postmaster.pid").read_text().split("\n")[0])


@contextmanager
def run(directory: Path, data: Path, *command: str, code: Path | None = None) -> Iterator[Run]:
    """Start a local run, and stop it in the end.

    Args:
        directory: where it starts.
        data: its DATA_DIR.
        command: what starts it.
        code: where Python finds the project, where that is not `directory`.
    """
    port, s3_port = free_port(), free_port()
    with tempfile.NamedTemporaryFile(suffix=".log") as output:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(directory),
                "PORT": str(port),
                "S3_PORT": str(s3_port),
                "DATA_DIR": str(data),
                "PYTHONDONTWRITEBYTECODE": "1",
                "WORKERS": "1",
                **({"PYTHONPATH": str(code)} if code else {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            text=True,
        )
        started = Run(process, data, Path(output.name), port, s3_port)
        try:
            yield started
        finally:
            started.stop()


@pytest.fixture
def private() -> Iterator[Path]:
    """A folder that only its owner may enter, within one that all may."""
    folder = Path(tempfile.mkdtemp(prefix="sync-private-"))
    yield folder
    shutil.rmtree(folder)


def check_first_minutes(clone: Path, before: Sequence[str]) -> None:
    """Do what the README's first screen says, and compare the file."""
    for program in ("make", "curl"):
        if shutil.which(program) is None:
            missing(program)
    sample = next(pictures())
    data = clone / "data of its own"
    with run(clone, data, *before, "make", "run") as running:
        running.wait_until_ready()
        answer = subprocess.run(  # noqa: S602 - it is to be pasted into a shell
            running.curl, shell=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
        )
        assert b"Object queued for sync" in answer.stdout
        file = data / "storage" / sample.name
        until(lambda: file.exists() and file.stat().st_size > 0)
        assert file.read_bytes() == sample.content
        running.stop()
        assert running.output.endswith("Stopped.\n")


@on_linux
@as_root
@pytest.mark.parametrize("bounds", [ALL, DOCKER], ids=["all capabilities", "Docker's"])
def test_root_runs_a_clone_below_a_folder_of_its_own(private: Path, bounds: str) -> None:
    cloned = clone(private / "x", sys.executable)
    (cloned / ".env").write_text("LOG_LEVEL=INFO\n")
    (cloned / ".env").chmod(0o600)
    check_first_minutes(cloned, ("setpriv", f"--bounding-set={bounds}"))
    storage = cloned / "data of its own" / "storage"
    assert {path.lstat().st_uid for path in (storage, *storage.rglob("*"))} == {
        pwd.getpwnam("www-data").pw_uid
    }


@on_linux
@as_root
def test_an_ordinary_user_runs_a_clone_below_a_private_home(private: Path) -> None:
    python = reachable_python(NOBODY)
    cloned = clone(private / "x", python, owner=NOBODY)
    os.chown(private, NOBODY, NOBODY)
    check_first_minutes(cloned, as_account(NOBODY))


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Run]:
    """A local run of this very code."""
    command = (sys.executable, "-m", "local", "run")
    with run(tmp_path, tmp_path / "data", *command, code=ROOT) as started:
        started.wait_until_ready()
        yield started


def test_the_embedded_s3_is_started_again_with_its_objects(running: Run) -> None:
    client = running.s3_client()
    client.put_object(Bucket=BUCKET, Key="mine.jpg", Body=b"of a client")
    record = Record.load(running.data / "s3.pid")
    assert record
    os.kill(record.server.pid, signal.SIGKILL)
    until(lambda: not record.server.alive)
    # The objects are there as soon as it answers: nothing is filled in again.
    until(lambda: answers(running.s3_port, b"HEAD / HTTP/1.0\r\n\r\n", b"HTTP/"), seconds=15.0)
    assert client.get_object(Bucket=BUCKET, Key="mine.jpg")["Body"].read() == b"of a client"
    client.close()
    assert running.post("mine.jpg") == 201
    file = running.data / "storage" / "mine.jpg"
    until(file.exists)
    assert file.read_bytes() == b"of a client"


def test_postgresql_is_started_again_when_it_dies(running: Run) -> None:
    first = running.postmaster
    os.kill(first, signal.SIGKILL)
    died = time.monotonic()
    assert running.post("dot.png") == 201
    assert time.monotonic() - died < 15
    assert running.postmaster != first


def test_a_database_that_cannot_start_any_more_ends_the_run_with_one_line(running: Run) -> None:
    (running.data / "postgres" / "PG_VERSION").write_text("nonsense\n")
    os.kill(running.postmaster, signal.SIGKILL)
    assert running.process.wait(60.0) == 1
    last = running.output.strip().rpartition("\n")[2]
    assert last.startswith("Server did not become ready: PostgreSQL, restarted 5 times: ")
    assert "PG_VERSION is damaged: 'nonsense'" in last
    assert "Traceback" not in running.output
