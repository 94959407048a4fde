from __future__ import annotations

from pathlib import Path

import pytest

from local.servers.errors import ProgramMissing
from local.servers.programs import find, missing, require


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program, the only one on PATH."""
    program = tmp_path / "a-server"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return program


def test_a_program_on_path_is_found(there: Path) -> None:
    assert find("a-server", "a-package") == str(there)


def test_a_missing_program_is_named_with_its_package(there: Path) -> None:
    there.chmod(0o644)
    with pytest.raises(ProgramMissing, match=r"a-server \(Debian package: a-package\)"):
        find("a-server", "a-package")


@pytest.mark.usefixtures("there")
def test_all_that_is_missing_is_named_at_once() -> None:
    gone = missing({"no-server": "one", "a-server": "two", "no-client": "three"})
    assert gone == ["no-server (Debian package: one)", "no-client (Debian package: three)"]
    with pytest.raises(ProgramMissing, match=r"no-server .*, no-client .*; install with make"):
        require(gone)


def test_without_anything_missing_nothing_is_raised() -> None:
    require([])
