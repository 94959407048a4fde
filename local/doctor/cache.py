"""memcached: reachable and new enough."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from local.doctor.finding import Finding, ok, problem, skipped, warning
from local.doctor.versions import numbers
from shared.config.settings import Settings
from shared.errors import CacheUnavailable

LEAST_VERSION = (1, 6)
"""The first version with the meta commands."""


def examine(settings: Settings, seconds: float) -> Iterator[Finding]:
    """Yield the findings about the cache.

    Args:
        settings: with its address.
        seconds: time limit of each step.
    """
    if settings.memcached_url is None:
        yield skipped("memcached", "not used: each process counts requests on its own")
        return
    from shared.cache.memcached import MemcachedCache  # noqa: PLC0415 # pymemcache

    several = len(settings.memcached_url) > 1
    for host, port in settings.memcached_url:
        place = f"{host}:{port}"
        check = f"memcached at {place}" if several else "memcached"
        with closing(MemcachedCache((host, port), timeout=seconds)) as cache:
            try:
                version = cache.version()
            except CacheUnavailable as error:
                reason = f": {error.__cause__}" if error.__cause__ else ""
                effect = "the others count for it" if several else "requests are not limited"
                yield warning(
                    check,
                    f"{error} at {place}{reason}; {effect}",
                    "start it, or correct MEMCACHED_URL",
                )
                continue
        if numbers(version) < LEAST_VERSION:
            yield problem(check, f"version {version}", "upgrade it to 1.6 or newer")
        else:
            yield ok(check, f"reachable, version {version}")
