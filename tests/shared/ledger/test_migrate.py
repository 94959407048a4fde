from __future__ import annotations

import threading

import psycopg2

from shared.ledger.ledger import Ledger
from shared.ledger.migrate import MIGRATIONS, migrate
from tests.servers import execute

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
    for thread in threads:
        thread.join()
    assert sorted(applied) == [[], [], NEWEST]


def test_a_migration_can_be_rolled_back(postgres_url: str) -> None:
    migrate(postgres_url)
    for name in reversed(NEWEST):
        execute(postgres_url, (MIGRATIONS / f"{name}.rollback.sql").read_text())
    assert relations(postgres_url) == 0
