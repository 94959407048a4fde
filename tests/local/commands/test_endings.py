"""How the command line ends, as other programs see it: exit codes, pipes, signals, terminals."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.commands.completion import SCRIPTS, install
from local.commands.exit_codes import BROKEN_PIPE, INTERRUPTED, OK, PROBLEM, USAGE
from tests.helpers.paths import ROOT
from tests.helpers.project import environment
from tests.helpers.servers import execute, free_port
from tests.helpers.waiting import until
from tests.local.commands.conftest import Sync

COMMAND = [sys.executable, "-m", "local"]
MANY = """
INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id)
SELECT 'o', 'r', 'ж' || n || '.png', 'image/png', sha256(n::text::bytea), 'q'
  FROM generate_series(1, 3000) AS n
"""


def variables(url: str, **more: str) -> dict[str, str]:
    return environment(PYTHONPATH=str(ROOT), DATABASE_URL=url, PORT=str(free_port()), **more)


def test_the_exit_codes_are_the_documented_ones() -> None:
    assert (OK, PROBLEM, USAGE, INTERRUPTED, BROKEN_PIPE) == (0, 1, 2, 130, 141)
    page = (ROOT / "docs" / "command_line.md").read_text()
    for code in (OK, PROBLEM, USAGE, INTERRUPTED, BROKEN_PIPE):
        assert f"\n| {code} |" in page


def test_fine_is_0_a_problem_1_and_a_mistake_2(database_url: str, sync: Sync) -> None:
    assert sync("list", DATABASE_URL=database_url).code == OK
    assert sync("show", "1", DATABASE_URL=database_url).code == PROBLEM
    assert sync("status", DATABASE_URL=database_url, PORT=str(free_port())).code == PROBLEM
    for typed in (["nothing"], ["list", "--nothing"], ["list", "--limit", "-1"], ["show"], []):
        done = sync(*typed, DATABASE_URL=database_url)
        assert (done.code, "Traceback" in done.err) == (USAGE, False), typed


def test_help_of_every_command_has_its_exit_codes_or_an_example(sync: Sync) -> None:
    shown = sync("--help")
    assert (shown.code, "Exit codes: 0" in shown.out) == (OK, True)
    for command in ("status", "list", "show", "retry", "fetch-again", "dismiss", "doctor"):
        assert "Example" in sync(command, "--help").out, command


def test_a_reader_that_ends_is_no_traceback(database_url: str) -> None:
    execute(database_url, MANY)
    for arguments in ("list --limit 0 --json", "--help"):
        done = subprocess.run(
            [
                "bash",
                "-c",
                f'"$0" -m local {arguments} | head -n 1; echo "${{PIPESTATUS[0]}}"',
                sys.executable,
            ],
            env=variables(database_url),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.stderr == "", arguments
        assert done.stdout.splitlines()[-1] in {str(BROKEN_PIPE), str(OK)}
        if arguments != "--help":  # that may be written before the reader has ended
            assert done.stdout.splitlines()[-1] == str(BROKEN_PIPE), arguments


def test_ctrl_c_ends_quietly(database_url: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with out.open("w") as file, (tmp_path / "err").open("w") as errors:
        process = subprocess.Popen(
            [*COMMAND, "status", "--watch", "--every", "0.5", "--json"],
            env=variables(database_url),
            cwd=tmp_path,
            stdout=file,
            stderr=errors,
            start_new_session=True,
        )
        try:
            until(lambda: out.read_text().count("\n") > 1, seconds=60)
            os.killpg(process.pid, signal.SIGINT)
            assert process.wait(30) == INTERRUPTED
        finally:
            process.kill()
            process.wait()
    assert (tmp_path / "err").read_text() == ""
    first = json.loads(out.read_text().splitlines()[0])
    assert (first["ok"], first["objects"]["queued"]) == (False, 0)


def typed_in_a_terminal(arguments: list[str], **env: str) -> tuple[bytes, bytes]:
    """Return what a command writes to a terminal, and to standard output, which is none."""
    terminal, end = pty.openpty()
    try:
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            env=environment(PYTHONPATH=str(ROOT), TERM="xterm", **env),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=end,
        )
        os.close(end)
        shown = b""
        while True:
            try:
                piece = os.read(terminal, 4096)
            except OSError:  # the process has ended
                break
            if not piece:
                break
            shown += piece
        out, _ = process.communicate(timeout=60)
    finally:
        os.close(terminal)
    return shown, out


def test_progress_is_shown_on_a_terminal_only(database_url: str) -> None:
    execute(database_url, MANY, "UPDATE file_sync SET attempts = 1, next_attempt_at = 'infinity'")
    given = {"DATABASE_URL": database_url}
    shown, out = typed_in_a_terminal(["retry", "--now", "--all"], **given)
    assert b"queued for retry" in shown
    assert out == b"3000 failed or waiting objects are queued again\n"
    execute(database_url, "UPDATE file_sync SET next_attempt_at = 'infinity'")
    done = subprocess.run(
        [*COMMAND, "retry", "--now", "--all"],
        env=variables(database_url),
        cwd=ROOT,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == (out, b"")


def test_there_is_no_color_where_none_is_wanted() -> None:
    mistake, _ = typed_in_a_terminal(["show", "x"])
    assert b"\x1b[3" in mistake
    without, _ = typed_in_a_terminal(["show", "x"], NO_COLOR="1")
    assert b"\x1b[3" not in without
    assert b"Invalid value" in without


@pytest.mark.parametrize(
    ("encoding", "shown"), [("utf-8", "ж1"), ("latin-1", r"\u04361")], ids=lambda text: text
)
def test_every_name_can_be_printed_in_any_encoding(
    encoding: str, shown: str, database_url: str, tmp_path: Path
) -> None:
    execute(database_url, MANY)
    done = subprocess.run(
        [*COMMAND, "list", "1"],
        env=variables(database_url, PYTHONIOENCODING=encoding),
        cwd=tmp_path,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert shown in done.stdout.decode(encoding)


def test_completion_is_for_the_command_as_it_is_typed() -> None:
    script = """
    eval "$(./sync --show-completion)"
    complete -p ./sync
    COMP_WORDS=(./sync list --state '') COMP_CWORD=3 && _external_storage_sync ./sync
    echo "${COMPREPLY[*]}"
    COMP_WORDS=(./sync dea) COMP_CWORD=1 && _external_storage_sync ./sync
    echo "${COMPREPLY[*]}"
    """
    done = subprocess.run(
        ["bash", "-c", script],
        env=environment(SHELL="/bin/bash"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "-F _external_storage_sync ./sync" in done.stdout, done.stderr
    assert "queued synced failed dismissed" in done.stdout
    assert "\ndead-letters\n" in done.stdout


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
def test_fish_completes_the_command_and_leaves_another_of_its_name_alone() -> None:
    script = "./sync --show-completion | source; complete -C './sync dea'; complete -C 'sync dea'"
    done = subprocess.run(
        ["fish", "--no-config", "-c", script],
        env=environment(SHELL="/usr/bin/fish") | {"HOME": "/nonexistent"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["dead-letters"]


def test_completion_is_installed_once(tmp_path: Path) -> None:
    (tmp_path / ".bashrc").write_text("alias l=ls")
    for _ in range(2):
        shown = install("bash", tmp_path)
    script = tmp_path / ".bash_completions" / "external-storage-sync.sh"
    assert str(script) in shown[0]
    assert (tmp_path / ".bashrc").read_text() == f'alias l=ls\nsource "{script}"\n'
    assert script.read_text() == SCRIPTS["bash"]
