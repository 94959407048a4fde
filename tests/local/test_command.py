"""The command line as it is typed: `./sync`, its link for a PATH, and `make sign`."""

from __future__ import annotations

import hashlib
import hmac
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT
from tests.helpers.project import copy_project, environment

KEY = "a key of the tests"
BODIES = {
    "dollars": '{"a": "$5 $$ $a ${b} $(c)"}',
    "make functions": "$(shell touch made) ${shell touch made} $(error no)",
    "shell": "`touch made` $(touch made) \" \\ '; touch made; '",
    "quotes and hash": """it's "quoted" # not a comment""",
    "lines": "first\nsecond \\\nthird\n",
    "trailing blanks": '{"a": 1}  \t',
    "unicode": '{"file_name": "фото é 🙂.jpg"}',
    "a dash": "--help",
    "an equals sign": "BODY=x := y",
    "percent and colon": "%.o: a | b & c; d",
}


def run(
    command: list[str], folder: Path, stdin: bytes = b"", **variables: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(SECRET_KEY=KEY, **variables),
        input=stdin,
        capture_output=True,
        check=False,
        timeout=60,
    )


def signature(body: bytes) -> bytes:
    return hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest().encode() + b"\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("command") / "a ü folder")


@pytest.mark.parametrize("command", ["sync", ".venv/bin/external-storage-sync"])
def test_the_command_runs_from_any_folder(command: str, project: Path, tmp_path: Path) -> None:
    assert run(["make", "setup"], project).returncode == 0
    (tmp_path / "body.json").write_bytes(b"{}\n")
    done = run([str(project / command), "sign", "--file", "body.json"], tmp_path)
    assert (done.stdout, done.stderr) == (signature(b"{}\n"), b"")


def test_settings_are_those_of_the_project_not_of_the_folder_it_is_typed_in(
    project: Path, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("SECRET_KEY=another\n")
    variables = {"DATA_DIR": "kept here"}
    for folder in (tmp_path, project):
        done = subprocess.run(
            [str(project / "sync"), "sign", "{}"],
            cwd=folder,
            env=environment(**variables),
            capture_output=True,
            check=True,
            timeout=60,
        )
        key = (project / "kept here" / "secret_key").read_bytes()
        assert done.stdout.strip().decode() == hmac.new(key, b"{}", hashlib.sha256).hexdigest()


def test_before_make_setup_one_line_says_what_to_do(tmp_path: Path) -> None:
    bare = copy_project(tmp_path / "bare", installed=False)
    done = run(["./sync", "retry", "--all"], bare)
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert b"make setup" in done.stderr


def test_without_its_packages_one_line_says_what_to_do() -> None:
    command = [sys.executable, "-S", "-m", "local", "retry"]  # -S leaves out site-packages
    done = run(command, ROOT)
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert b"make setup" in done.stderr


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_make_signs_exactly_what_is_given(body: str, project: Path) -> None:
    (project / "body").write_bytes(body.encode())
    for arguments, stdin, variables in (
        ([f"BODY={body}"], b"", {}),
        ([], b"", {"BODY": body}),
        (["FILE=body"], b"", {}),
        ([], body.encode(), {}),
    ):
        done = run(["make", "-s", "sign", *arguments], project, stdin, **variables)
        assert done.stdout == signature(body.encode()), (arguments, done.stderr)
    assert not (project / "made").exists()


def test_the_command_signs_an_argument_a_file_and_standard_input(project: Path) -> None:
    body = BODIES["shell"]
    (project / "body").write_bytes(body.encode())
    for arguments, stdin in ((["--", body], b""), (["--file", "body"], b""), ([], body.encode())):
        done = run(["./sync", "sign", *arguments], project, stdin)
        assert done.stdout == signature(body.encode()), (arguments, done.stderr)


def test_a_body_is_bytes_whatever_the_locale(project: Path) -> None:
    body = '{"file_name": "ß.jpg"}'
    done = run(["./sync", "sign", body], project, LC_ALL="de_DE.ISO-8859-1", PYTHONUTF8="0")
    assert done.stdout == signature(body.encode())


@pytest.mark.parametrize(
    "arguments",
    [[], ["BODY="], ["FILE=empty"], ["BODY=x", "FILE=empty"]],
    ids=["nothing", "an empty body", "an empty file", "two bodies"],
)
def test_nothing_is_never_signed(arguments: list[str], project: Path) -> None:
    (project / "empty").touch()
    done = run(["make", "-s", "sign", *arguments], project)
    assert done.returncode == 2
    assert done.stdout == b""
    assert b"Usage: " in done.stderr


def test_an_empty_argument_is_a_usage_error(project: Path) -> None:
    done = run(["./sync", "sign", ""], project, stdin=b"not this")
    assert done.returncode == 2
    assert done.stdout == b""


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
@pytest.mark.parametrize("blank", [" ", "\t", "\n"])
def test_blanks_that_make_would_drop_are_refused(blank: str, project: Path) -> None:
    done = run(["make", "-s", "sign", f"BODY={blank}{{}}"], project)
    assert done.returncode == 2
    assert done.stdout == b""
    assert b"FILE=" in done.stderr
    assert run(["make", "-s", "sign"], project, BODY=f"{blank}{{}}").stdout == signature(
        f"{blank}{{}}".encode()
    )


def test_a_file_that_is_not_there_is_one_line(project: Path) -> None:
    done = run(["./sync", "sign", "--file", "nowhere"], project)
    assert done.returncode == 1
    assert done.stderr == b"The file cannot be read: nowhere: No such file or directory\n"
