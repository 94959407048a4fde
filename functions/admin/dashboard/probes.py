"""Probes: which servers the dashboard asks, and what each answers in words."""

from __future__ import annotations

from collections.abc import Callable

from functions.admin.dashboard.health import PROBE_SECONDS
from shared import adapters
from shared.cache.interface import Cache
from shared.config.settings import Settings
from shared.ledger.ledger import Ledger

HEALTHY = "OK"
"""The answer of a server that has nothing else to report."""


def probes(settings: Settings, ledger: Ledger, cache: Cache) -> dict[str, Callable[[], str]]:
    """Return what asks each server that the settings name, by the server's name."""

    def database() -> str:
        ledger.ping()
        return HEALTHY

    def counters() -> str:
        cache.ping()
        return HEALTHY if settings.memcached_url else "In-process"

    found = {"Database": database, "Cache": counters}
    if settings.rabbitmq_url:
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
            return HEALTHY

        found[source.name] = answers
    return found
