from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import psycopg2
import pytest

from shared.errors import LedgerUnavailable
from shared.ledger.ledger import Ledger
from shared.ledger.migrate import MIGRATIONS, migrate
from tests.helpers.paths import ROOT
from tests.helpers.servers import execute, free_port
from tests.helpers.waiting import join

NEWEST = sorted(file.stem for file in MIGRATIONS.glob("*.sql") if ".rollback" not in file.name)


def relations(url: str) -> int:
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_class WHERE relname = 'file_sync'")
            found: int = cursor.fetchall()[0][0]
            return found
    finally:
        connection.close()


def test_an_empty_database_becomes_a_ledger(postgres_url: str) -> None:
    assert migrate(postgres_url) == NEWEST
    ledger = Ledger.at(postgres_url)
    ledger.ping()
    ledger.close()


def test_nothing_is_applied_twice(postgres_url: str) -> None:
    migrate(postgres_url)
    assert migrate(postgres_url) == []


def test_both_names_of_the_scheme_are_taken(postgres_url: str) -> None:
    assert migrate(postgres_url.replace("postgresql://", "postgres://", 1)) == NEWEST


def test_of_several_that_start_together_one_applies(postgres_url: str) -> None:
    applied: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: applied.append(migrate(postgres_url))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    join(*threads)
    assert sorted(applied) == [[], [], NEWEST]


def test_a_killed_migration_locks_no_other_out(postgres_url: str) -> None:
    migrate(postgres_url)
    execute(postgres_url, "INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), 999999)")
    assert migrate(postgres_url) == []


def test_the_project_may_lie_in_a_folder_of_any_name(postgres_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "a clone [x] *?"
    shutil.copytree(ROOT / "shared", folder / "shared")
    program = "import sys; from shared.ledger.migrate import migrate; migrate(sys.argv[1])"
    command = [sys.executable, "-c", program, postgres_url]
    subprocess.run(command, cwd=folder, check=True, timeout=60)
    assert relations(postgres_url) == 1


def test_an_unreachable_database_is_one_line_without_the_password() -> None:
    url = f"postgresql://sync:secret@127.0.0.1:{free_port()}/sync"
    with pytest.raises(LedgerUnavailable, match="refused") as caught:
        migrate(url)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_migration_can_be_rolled_back(postgres_url: str) -> None:
    migrate(postgres_url)
    for name in reversed(NEWEST):
        execute(postgres_url, (MIGRATIONS / f"{name}.rollback.sql").read_text())
    assert relations(postgres_url) == 0
