"""What systemd itself says about the units."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from local.http.serve import END_SECONDS
from local.scheduler import STOP_SECONDS
from local.systemd.front import FUNCTIONS_PORT
from local.watchdog import GRACE_SECONDS
from tests.helpers.missing import missing
from tests.helpers.paths import ROOT

FOLDER = ROOT / "local" / "systemd"
SERVICES = ("http", "migrate", "nginx", "scheduler", "trigger@1")
NAMES = [f"external-storage-sync-{name}.service" for name in SERVICES]
MOST_EXPOSED = 20
"""Of 100, as `systemd-analyze security` counts; the services have 16 to 18, a bare one 96."""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The root of a machine that has the units, and files where they look for programs."""
    if shutil.which("systemd-analyze") is None:
        missing("systemd-analyze (Debian package: systemd)")
    units = tmp_path / "etc" / "systemd" / "system"
    shutil.copytree(FOLDER, units, ignore=shutil.ignore_patterns("*.py", "*.sh", "__pycache__"))
    for unit in units.glob("*.service"):
        for program in re.findall(r"^Exec\w+=(\S+)", unit.read_text(), re.MULTILINE):
            file = tmp_path / program.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o755)
    for target in ("basic", "multi-user", "network-online", "shutdown", "sysinit"):
        (units / f"{target}.target").write_text("[Unit]\nDescription=as every machine has it\n")
    return tmp_path


def analyze(machine: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", f"--root={machine}", "--man=no", "--no-pager", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_systemd_understands_every_line(machine: Path) -> None:
    done = analyze(machine, "verify", "external-storage-sync.target", *NAMES)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_line_that_it_does_not_understand_would_be_noticed(machine: Path) -> None:
    common = machine / "etc/systemd/system/external-storage-sync-.service.d/10-common.conf"
    common.write_text(common.read_text() + "NoSuchLine=yes\n")
    assert "NoSuchLine" in analyze(machine, "verify", *NAMES).stderr


@pytest.mark.parametrize("name", NAMES)
def test_a_service_is_little_exposed(machine: Path, name: str) -> None:
    threshold = f"--threshold={MOST_EXPOSED}"
    done = analyze(machine, "security", "--offline=true", threshold, name)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("name", "own_seconds"),
    [("http", END_SECONDS), ("trigger@", GRACE_SECONDS), ("scheduler", STOP_SECONDS)],
)
def test_a_process_is_killed_only_after_its_own_time_to_end(name: str, own_seconds: float) -> None:
    text = (FOLDER / f"external-storage-sync-{name}.service").read_text()
    found = re.search(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
    assert found
    assert own_seconds < int(found[1]) < 2 * own_seconds + 1


def test_nginx_passes_requests_on_to_where_the_functions_answer() -> None:
    text = (FOLDER / "external-storage-sync-http.service").read_text()
    assert f" PORT={FUNCTIONS_PORT} " in text


@pytest.mark.parametrize("script", ["install.sh", "uninstall.sh"])
def test_who_is_not_root_is_told_so_and_nothing_else_happens(script: str) -> None:
    command = f"id() {{ echo 1000; }}; . {FOLDER / script}"
    done = subprocess.run(
        ["sh", "-c", command, f"{FOLDER}/{script}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"make (un)?install-service: needs root .*\n", done.stderr)
