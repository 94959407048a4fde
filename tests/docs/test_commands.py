"""Every documented command exists; those that a machine without AWS and Docker can run, are run."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from local.cli import app
from local.sample_requests import request_bodies
from tests.docs.pages import PAGES, Command, blocks, commands
from tests.helpers.paths import ROOT
from tests.helpers.project import copy_project, environment
from tests.helpers.servers import free_port
from tests.helpers.waiting import until

README = ROOT / "README.md"
ALL = sorted(set(commands()), key=str)
MAKE = [command for command in ALL if command.text.startswith("make ")]
SYNC = [command for command in ALL if not command.text.startswith("make ")]
# Text in a page that stands for something the reader puts in.
VALUES = {"…": "x"}

NOT_RUN = {
    "make run": "the fixture runs it",
    "make install-servers": "installs packages; the CI runs it before the tests",
    "make test": "this runs in it",
    "photo.jpg": "run by its own test, with a photo",
    "openssl": "run by test_snippets",
}
"""Blocks of the README that are not run as they are, by a word of theirs, and why."""


def filled_in(text: str) -> list[str]:
    for placeholder, value in VALUES.items():
        text = text.replace(placeholder, value)
    return shlex.split(text)


def test_there_are_commands_to_look_at() -> None:
    assert len(MAKE) > 15
    assert len(SYNC) > 8
    assert {command.page for command in ALL} >= {"README.md", "CONTRIBUTING.md", "docs/deploy.md"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("docs") / "a ü folder")


@pytest.mark.parametrize("command", MAKE, ids=str)
def test_a_documented_make_target_exists(command: Command, project: Path) -> None:
    done = subprocess.run(
        ["make", "--dry-run", *filled_in(command.text)[1:]],
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", SYNC, ids=str)
def test_a_documented_command_takes_its_arguments(command: Command) -> None:
    program, *arguments = filled_in(command.text)
    if "<" in arguments:  # the shell's
        arguments = arguments[: arguments.index("<")]
    found: Any = get_command(app)
    while hasattr(found, "commands") and arguments[0] != "--help":
        program, *arguments = arguments
        found = found.commands[program]
    with contextlib.suppress(typer.Exit):  # after --help
        found.make_context(program, arguments)


def test_no_page_names_the_command_line_otherwise() -> None:
    for page in PAGES:
        assert "-m local" not in page.read_text(), page


class Running:
    """`make run` in a project of its own, and the README's way to speak to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.variables = environment(
            PORT=str(free_port()), S3_PORT=str(free_port()), RATE_LIMIT_GET="off"
        )
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                ["make", "run"],
                cwd=folder,
                env=self.variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def ready(self) -> bool:
        assert self._process.poll() is None, self.log.read_text()
        return "Try " in self.log.read_text()

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGINT)  # as Ctrl-C does
        self._process.wait(60)

    def typed(self, text: str) -> str:
        """Return what a bash prints that is given the text, on the ports of this service."""
        text = text.replace(":27000", f":{self.variables['PORT']}")
        text = text.replace(":27006", f":{self.variables['S3_PORT']}")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}\n{self.log.read_text()}"
        return done.stdout

    def wait_synced(self, number: int) -> None:
        count = f'"synced_objects_count": {number}'
        until(lambda: count in self.typed("curl -sS http://localhost:27000/sync/"), seconds=60.0)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    service = Running(copy_project(tmp_path / "a ü folder"))
    try:
        until(service.ready, seconds=90.0)
        yield service
    finally:
        service.stop()


def test_the_readme_works_from_top_to_bottom(running: Running) -> None:
    run, first, own, *others = blocks(README, "bash")
    assert run.startswith("make run ")

    post, rest = first.split("# {", 1)
    assert '{"detail": "Object queued for sync"}' in running.typed(post)
    running.wait_synced(1)
    shown = running.typed(rest.split("}\n", 1)[1])
    assert '{"synced_objects_count": 1, "queued_objects_count": 0}' in shown
    assert "65d9e6e87a533da87ebcdee4.jpg" in shown

    # Over a megabyte curl asks first whether it may send (Expect: 100-continue).
    photo = os.urandom(3_000_000)
    (running.folder / "photo.jpg").write_bytes(photo)
    assert '{"detail": "Object queued for sync"}' in running.typed(own)
    running.wait_synced(2)
    assert (running.folder / ".local" / "storage" / "photo.jpg").read_bytes() == photo

    for block in others:
        assert [word for word in NOT_RUN if word in block], block

    printed = re.search(r"curl .*", running.log.read_text())
    assert printed
    assert '"detail"' in running.typed(printed[0])
    number = len(list(request_bodies()))
    assert f"{number} files in " in running.typed("make sample")
    assert "(make run)" in running.typed("make status")
    assert "0 failed objects are queued again" in running.typed("make retry")
    assert f"{number} requests in" in running.typed("make sample-requests")
    requests = (running.folder / "sample-requests.txt").read_text().splitlines()
    assert '"detail": "Object queued for sync"' in running.typed(requests[0])

    # Everything was requested by now: what the bucket has is copied.
    assert "the copy is complete and correct" in running.typed("./sync reconcile --enqueue")

    for command in ("./sync retry --all", "./sync migrate", './sync sign \'{"oeid": "1"}\''):
        assert f"| `{command}`" in README.read_text()
        running.typed(command)
    running.typed("make setup; make help")
    assert len(running.typed("echo secret | ./sync hash-password")) > 60
    assert running.typed("./sync settings").strip() in README.read_text()
