"""The command line, run in the test's own process: what it prints, and how it ends."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.cli import main
from tests.helpers.project import environment


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


Sync = Callable[..., Done]


@pytest.fixture
def sync(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Sync:
    """Type `./sync` in an empty folder, with nothing set but what is given."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, **variables: str) -> Done:
        with monkeypatch.context() as patch:
            patch.setattr("os.environ", environment(**variables))
            patch.setattr(sys, "argv", ["sync", *arguments])
            capsys.readouterr()
            with pytest.raises(SystemExit) as end:
                main()
        shown = capsys.readouterr()
        return Done(int(end.value.code or 0), shown.out, shown.err)

    return run
