"""The admin's search for a piece of a name in the large ledger."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from html import unescape
from urllib.parse import quote

from bench import ledgers
from bench.admin import TARGET_MS, ask, log_in
from bench.figure import Figure, Target
from bench.setting import Setting
from functions.admin import addresses
from functions.admin.app import Admin

NOWHERE = "nowhere-to-be-found"
"""No name has it: the most that a search can have to read."""

SEARCH_ON = re.compile(r'data-search-on="([^"]+)"')
"""Where the page's script goes on by itself while nothing is found."""

BARE = """
SELECT id FROM file_sync
 WHERE file_name ILIKE '%%' || %s || '%%' ORDER BY id DESC LIMIT 50
"""


def measure(setting: Setting) -> Iterator[Figure]:
    """Search for what new names have, for what no name has, and for the oldest name."""
    url, plan = setting.many, setting.plan
    admin, cookie = log_in(url, setting.folder)
    # A piece of "archive/1000/1000000.jpg": neither its beginning nor its last segment's.
    newest, oldest = str(plan.many_rows)[1:] + ".jp", "hive/1/1.j"
    pages: dict[str, list[float]] = {newest: [], NOWHERE: []}
    bare: dict[str, list[float]] = {newest: [], NOWHERE: []}
    for piece in pages:
        _page(admin, cookie, piece)  # PostgreSQL has what it needs in memory
    for _ in setting.runs("search"):
        for piece, taken in pages.items():
            taken.append(_page(admin, cookie, piece))
            bare[piece].append(_bare(url, piece))
    steps = _to_the_end(admin, cookie, oldest)
    name = f"admin search of a piece of a name with {plan.many_rows:,} rows"
    target, against = Target(TARGET_MS, at_least=False), "psql: ILIKE over the table, LIMIT 50"
    yield Figure(f"{name}, of a new one", pages[newest], "ms", target, bare[newest], against)
    yield Figure(f"{name}, of none", pages[NOWHERE], "ms", target, bare[NOWHERE], against)
    note = f"{len(steps)} pages, of which the list's script asks for one after the other"
    yield Figure(f"{name}, of the oldest, until it is found", [sum(steps)], "ms", note=note)


def _page(admin: Admin, cookie: str, piece: str) -> float:
    """Return the milliseconds of the first page."""
    return ask(admin, cookie, f"{addresses.LIST.url()}?q={quote(piece)}")[0] * 1e3


def _to_the_end(admin: Admin, cookie: str, piece: str) -> list[float]:
    """Return the milliseconds of each page until something is found, or all was searched."""
    path, taken = f"{addresses.LIST.url()}?q={quote(piece)}", []
    while True:
        seconds, text = ask(admin, cookie, path)
        taken.append(seconds * 1e3)
        more = SEARCH_ON.search(text)
        if more is None:
            return taken
        path = unescape(more[1])


def _bare(url: str, piece: str) -> float:
    before = time.perf_counter()
    ledgers.execute(url, BARE, piece)
    return (time.perf_counter() - before) * 1e3
