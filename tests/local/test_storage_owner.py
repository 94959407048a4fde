"""A storage that is another installation's: refused at the start, and adopted by a person."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.storage_owner import adopt, require_own_storage
from shared.config.settings import Settings
from shared.errors import StorageForeign
from tests.helpers.paths import ROOT
from tests.helpers.servers import free_port

STRANGER = "f" * 32


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    folder = tmp_path / "storage"
    folder.mkdir()
    return folder


def settings_of(database_url: str, storage: Path) -> Settings:
    return Settings.from_mapping({"DATABASE_URL": database_url, "STORAGE_PATH": str(storage)})


def run(command: str, database_url: str, storage: Path) -> subprocess.CompletedProcess[str]:
    given = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": database_url,
        "RABBITMQ_URL": f"amqp://127.0.0.1:{free_port()}/",
        "STORAGE_PATH": str(storage),
    }
    return subprocess.run(
        [sys.executable, "-m", "local", command],
        cwd=storage.parent,
        env=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_trigger_refuses_another_s_storage_in_one_line_until_it_is_adopted(
    database_url: str, storage: Path
) -> None:
    mark = storage / ".incoming/owner" / STRANGER
    mark.mkdir(parents=True)
    refused = run("trigger", database_url, storage)
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert line.startswith("The local storage does not belong to this installation: ")
    assert STRANGER in line
    assert "./sync adopt-storage" in line

    adopted = run("adopt-storage", database_url, storage)
    assert (adopted.returncode, adopted.stderr) == (0, "")
    assert adopted.stdout.splitlines() == [
        f"no longer used by installation {STRANGER}",
        f"{storage} is used by this installation",
    ]
    assert not mark.exists()
    require_own_storage(settings_of(database_url, storage))


def test_what_may_yet_come_is_waited_for(database_url: str, storage: Path) -> None:
    require_own_storage(settings_of(database_url, storage / "missing"))
    require_own_storage(settings_of(f"postgresql://127.0.0.1:{free_port()}/none", storage))
    assert list(storage.iterdir()) == []


def test_a_mount_point_without_its_mount_is_refused(database_url: str, storage: Path) -> None:
    require_own_storage(settings_of(database_url, storage))
    bare = storage.with_name("bare")
    bare.mkdir()
    with pytest.raises(StorageForeign, match="is it mounted"):
        require_own_storage(settings_of(database_url, bare))
    assert list(adopt(settings_of(database_url, bare))) == [f"{bare} is used by this installation"]
    require_own_storage(settings_of(database_url, bare))
