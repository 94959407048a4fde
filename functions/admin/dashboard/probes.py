"""Probes: which servers the dashboard asks, and what each answers in words."""

from __future__ import annotations

import threading
from collections.abc import Callable

from functions.admin.dashboard.health import PROBE_SECONDS
from shared import adapters
from shared.cache.interface import Cache
from shared.config.settings import Settings
from shared.errors import SourceUnavailable
from shared.ledger.ledger import Ledger
from shared.sources.listing import Listing

HEALTHY = "OK"
"""The answer of a server that has nothing else to report."""


ABSENT = ".admin-probe"
"""A key that is looked for, and need not exist."""


class BucketProbe:
    """Looks whether the bucket can be read; its driver is loaded when it is first asked.

    Args:
        connect: returns what lists the bucket.
        seconds: how long to wait for another call that asks it.
    """

    def __init__(self, connect: Callable[[], Listing], seconds: float = PROBE_SECONDS) -> None:
        self._connect = connect
        self._seconds = seconds
        self._listing: Listing | None = None
        self._lock = threading.Lock()

    def ask(self) -> None:
        """Return once the bucket was read.

        Raises:
            TransferError: it can't be read; the text has the reason.
            SettingError: the settings name no bucket that there can be.
        """
        # One at a time: where S3 hangs, the others must not occupy every thread.
        if not self._lock.acquire(timeout=self._seconds):
            raise SourceUnavailable("no response in time")
        try:
            self._listing = self._listing or self._connect()
            self._listing.has(ABSENT)
        finally:
            self._lock.release()

    def close(self) -> None:
        """Free its connection."""
        if self._listing is not None:
            self._listing.close()


def probes(
    settings: Settings, ledger: Ledger, cache: Cache, bucket: BucketProbe | None = None
) -> dict[str, Callable[[], str]]:
    """Return what asks each server that the settings name, by the server's name.

    Args:
        settings: name the servers.
        ledger: the database.
        cache: where requests are counted.
        bucket: asked as well where the source is S3.
    """

    def database() -> str:
        ledger.ping()
        return HEALTHY

    def counters() -> str:
        cache.ping()
        return HEALTHY if settings.memcached_url else "In-process"

    found = {"Database": database, "Cache": counters}
    if settings.has_queue:
        queue = adapters.queue(settings)

        def waiting() -> str:
            depth = queue.depth()
            return f"{depth} message{'' if depth == 1 else 's'} waiting"

        found["Queue"] = waiting
    source = adapters.source_probe(settings, PROBE_SECONDS)
    if source is not None:
        ask = source.ask

        def answers() -> str:
            ask()
            if bucket is None:
                return HEALTHY
            bucket.ask()
            return f"OK, {settings.bucket} can be read"

        found[source.name] = answers
    return found
