"""A benchmark looks for its programs before it begins."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import ON_REQUEST, PARTS
from bench.tools import PROGRAMS, WHEELS, require_tools
from local.servers.errors import ProgramMissing
from local.servers.programs import missing, require
from tests.helpers.missing import missing as skip
from tests.helpers.paths import ROOT
from tests.helpers.project import environment


def test_every_part_says_what_it_needs() -> None:
    assert set(PROGRAMS) == {*PARTS, *ON_REQUEST}


def test_a_part_whose_programs_are_missing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        require_tools(["imports"])
    except ProgramMissing as error:
        skip(error.about)
    monkeypatch.setitem(PROGRAMS, "shim", {"no-such-program": "one"})
    monkeypatch.setitem(WHEELS, "search", ("no-such-tool",))
    left_out = {"shim": ["no-such-program (Debian package: one)"]}
    assert require_tools(["shim", "imports", "search"]) == left_out
    left_out["search"] = ["no-such-tool (requirements/bench.txt)"]
    assert require_tools(["shim", "imports", "search"], wheels=True) == left_out


def test_nothing_begins_where_every_part_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROGRAMS, "shim", {"no-such-program": "one"})
    with pytest.raises(ProgramMissing, match="no-such-program"):
        require_tools(["shim"])


def test_everything_that_is_missing_is_named_in_one_line() -> None:
    texts = missing({"no-such-program": "one", "sh": "dash", "nor-this": "two"})
    assert texts == [
        "no-such-program (Debian package: one)",
        "nor-this (Debian package: two)",
    ]
    with pytest.raises(ProgramMissing) as raised:
        require(texts)
    assert "no-such-program" in str(raised.value)
    assert "nor-this" in str(raised.value)
    assert "make install-servers" in str(raised.value)
    assert "\n" not in str(raised.value)
    require([])


@pytest.mark.parametrize(
    "arguments",
    [
        ["bench.tools"],
        ["bench.tools", "ingest"],
        ["bench", "--only", "shim"],
        ["bench", "--only", "libraries"],
        ["bench.scale"],
        ["tests.faults.tools"],
    ],
)
def test_it_ends_before_it_begins(arguments: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=environment() | {"PATH": str(tmp_path), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("Not installed: ")
    assert done.stderr.count("\n") == 1
    assert "memcached" in done.stderr
    assert ("wrk" in done.stderr) is (arguments[-1] in {"bench.tools", "ingest", "shim"})
    assert ("docker" in done.stderr) is (arguments == ["bench.scale"])
    assert not list(tmp_path.iterdir())
