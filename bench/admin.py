"""`make bench-admin`: how long the admin's pages take with a million objects or more.

The pages are asked for in this process: the ledger and the templates are measured, without network.
Each is asked for once before the clock runs, so that PostgreSQL has what it needs in memory.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote_plus

from rich.console import Console

from bench import command, ledgers
from functions.admin import addresses, wiring
from functions.admin.app import Admin
from functions.admin.web.sessions import SESSION_SECONDS, Sessions
from local.servers.ports import free_port
from local.servers.postgres import PostgresServer, embedded_binaries
from shared.config.settings import Settings
from shared.http.event import Request

TARGET_MS = 300

HISTORY = """
INSERT INTO sync_rate (minute, ring, outcome, bucket, slot, objects)
SELECT m, floor(extract(epoch FROM m) / 60)::bigint % 2880, 'synced', bucket, slot, 50
  FROM generate_series(date_trunc('minute', now()) - interval '47 h', now(), '1 min') AS m,
       generate_series(1, 8) AS bucket, generate_series(0, 3) AS slot;

INSERT INTO sync_rate_hour (hour, ring, outcome, bucket, slot, objects)
SELECT h, floor(extract(epoch FROM h) / 3600)::bigint % 192, 'synced', bucket, slot, 3000
  FROM generate_series(date_trunc('hour', now()) - interval '7 days', now(), '1 h') AS h,
       generate_series(1, 8) AS bucket, generate_series(0, 3) AS slot;

INSERT INTO verification (file_sync_id, result, checked_at)
SELECT id, CASE WHEN id % 1000 = 0 THEN 'damaged' ELSE 'ok' END, now()
  FROM file_sync WHERE state = 'synced' AND id % 10 = 0;

INSERT INTO action (name, actor, selection, last_id, position, objects, finished_at)
SELECT 'verify', 'admin: root', '{}', max(id), max(id), count(*) / 10, now() FROM file_sync;

INSERT INTO action_object (file_sync_id, action_id)
SELECT file_sync_id, (SELECT max(id) FROM action) FROM verification;

ANALYZE;
"""
"""Attempts of every minute and hour that the charts show, and an action that verified a tenth."""


def main() -> None:
    """Measure, and print a table; fail if a page is too slow."""
    parser = command.parser("bench-admin")
    parser.add_argument("--rows", type=int, default=1_000_000, help="synced objects")
    parser.add_argument("--runs", type=int, default=9, help="of each page")
    given = parser.parse_args()
    with command.scratch(given.scratch) as folder:
        seconds = _measure(given.rows, given.runs, folder)
    command.print_lines(table(seconds))
    slow = [name for name, taken in seconds.items() if statistics.median(taken) * 1e3 > TARGET_MS]
    if slow:
        sys.exit(f"Slower than {TARGET_MS} ms: {', '.join(slow)}")


def _measure(rows: int, runs: int, folder: Path) -> dict[str, list[float]]:
    postgres = PostgresServer(folder / "postgres", free_port(), embedded_binaries())
    console = Console(stderr=True, highlight=False)
    postgres.start()
    try:
        postgres.wait_ready()
        console.print(f"{rows:,} synced objects are recorded …")
        url = ledgers.make(postgres.url, "admin", rows, lambda _: None)
        ledgers.add_failed(url, max(3, rows // 50))
        ledgers.execute(url, HISTORY)
        seconds = {}
        with_cookie = log_in(url, folder)
        for name, path in pages(url).items():
            ask(*with_cookie, path)
            seconds[name] = [ask(*with_cookie, path)[0] for _ in range(runs)]
            load = os.getloadavg()[0]
            console.print(f"{name}: {statistics.median(seconds[name]):.3f} s, load {load:.1f}")
        return seconds
    finally:
        postgres.stop()


def log_in(url: str, folder: Path) -> tuple[Admin, str]:
    """Return an admin and the cookie of a session.

    Args:
        url: of the ledger.
        folder: which gets a storage.
    """
    storage = folder / "storage"
    storage.mkdir(exist_ok=True)
    settings = Settings.from_mapping(
        {"DATABASE_URL": url, "STORAGE_PATH": str(storage), "SECRET_KEY": "bench", "LOCAL_RUN": "1"}
    )
    sessions = Sessions(wiring.session_key(settings), SESSION_SECONDS, time.time)
    cookie = sessions.cookie(sessions.start(settings.admin_user), secure=False)
    return wiring.build(settings), cookie.partition(";")[0]


def pages(url: str) -> Mapping[str, str]:
    """Return the path of each page that is measured, by its name."""
    ((synced, failed),) = ledgers.execute(
        url, "SELECT max(id) FILTER (WHERE state = 'synced') / 2, max(id) FROM file_sync"
    )
    dashboard, listed = addresses.DASHBOARD.url(), addresses.LIST.url()
    return {
        "dashboard, 1 h": dashboard,
        "dashboard, 24 h": f"{dashboard}?period=24h",
        "dashboard, 7 d": f"{dashboard}?period=7d",
        "list": listed,
        "list of failed": f"{listed}?state=failed",
        "list of one reason": f"{listed}?state=failed&reason={quote_plus(ledgers.REASONS[0])}",
        "search that finds nothing": f"{listed}?q=nowhere-to-be-found",
        "object, synced": addresses.OBJECT.url(row_id=synced),
        "object, failed": addresses.OBJECT.url(row_id=failed),
        "failures": addresses.FAILURES.url(),
        "actions": addresses.ACTIONS.url(),
        "one action": addresses.ACTION.url(action_id=1),
    }


def ask(admin: Admin, cookie: str, path: str) -> tuple[float, str]:
    """Return the seconds that a page took, and its text.

    Raises:
        AssertionError: it could not be shown.
    """
    route, _, query = path.partition("?")
    event = {
        "rawPath": route,
        "rawQueryString": query,
        "headers": {"accept": "text/html"},
        "cookies": [cookie],
        "requestContext": {"http": {"method": "GET", "sourceIp": "127.0.0.1"}},
    }
    begun = time.perf_counter()
    answer = admin.answer(Request.from_event(event))
    seconds = time.perf_counter() - begun
    if answer.status != HTTPStatus.OK:
        raise AssertionError(f"{path} is answered {answer.status}")
    return seconds, answer.body.decode()


def table(seconds: Mapping[str, Sequence[float]]) -> Iterator[str]:
    """Yield the lines of a table in Markdown."""
    yield "| page | median, ms | slowest, ms |"
    yield "|---|---|---|"
    for name, taken in seconds.items():
        yield f"| {name} | {statistics.median(taken) * 1e3:.0f} | {max(taken) * 1e3:.0f} |"


if __name__ == "__main__":
    main()
