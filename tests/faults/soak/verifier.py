"""Compares each file with its object as soon as it is synced, and removes it."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg2

from tests.faults.soak.objects import VERIFIED, WRONG, Book, content, key, number_of
from tests.helpers.servers import connect
from tests.helpers.waiting import join

SLICE = 500
PAUSE_SECONDS = 0.2
SYNCED = """
SELECT file_name, sha256, size_bytes FROM file_sync WHERE file_name = ANY(%s) AND state = 'synced'
"""


class Verifier:
    """A thread that looks at the files while its block runs.

    A file is removed once it was right: then a million of them fit on a small disk, and one that
    comes back is found at the end.

    Args:
        database_url: of the ledger.
        storage: the folder of the files.
        recorded: numbers of objects to look at, added to meanwhile.
        book: where the outcome is noted.
    """

    def __init__(self, database_url: str, storage: Path, recorded: deque[int], book: Book) -> None:
        self._url = database_url
        self._storage = storage
        self._waiting = recorded
        self._book = book
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="verifier")

    @property
    def alive(self) -> bool:
        """Whether it works: nothing but its block ends it."""
        return self._thread.is_alive()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        join(self._thread)

    def _run(self) -> None:
        while not self._over.is_set():
            with (
                contextlib.suppress(psycopg2.Error),  # it is down, and comes back
                contextlib.closing(connect(self._url)) as connection,
            ):
                connection.autocommit = True
                with connection.cursor() as cursor:
                    while not self._over.is_set():
                        if not self._slice(cursor):
                            self._over.wait(PAUSE_SECONDS)
            self._over.wait(PAUSE_SECONDS)

    def _slice(self, cursor: psycopg2.extensions.cursor) -> int:
        """Look at the next objects; return how many of them were synced."""
        numbers = [self._waiting[n] for n in range(min(SLICE, len(self._waiting)))]
        if not numbers:
            return 0
        cursor.execute(SYNCED, ([key(number) for number in numbers],))
        rows = cursor.fetchall()
        for name, digest, size in rows:
            self._look_at(name, bytes(digest), size)
        for number in numbers:  # those that are not synced yet are asked for again after the others
            self._waiting.popleft()
            if self._book.states[number] not in (VERIFIED, WRONG):
                self._waiting.append(number)
        return len(rows)

    def _look_at(self, name: str, digest: bytes, size: int) -> None:
        number, right = number_of(name), content(name)
        if self._book.states[number] in (VERIFIED, WRONG):
            self._book.complaints.append(f"{name} has several rows")
            return
        file = self._storage / name
        try:
            is_right = file.read_bytes() == right
        except OSError as error:
            self._book.states[number] = WRONG
            self._book.complaints.append(f"{name} is synced without a file: {error}")
            return
        if not is_right or digest != hashlib.sha256(right).digest() or size != len(right):
            self._book.states[number] = WRONG
            self._book.complaints.append(f"{name} is wrong")
            return
        file.unlink()
        self._book.states[number] = VERIFIED
        self._book.verified += 1
        self._book.stored += size
