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

    host, port = settings.memcached_url
    with closing(MemcachedCache(settings.memcached_url, timeout=seconds)) as cache:
        try:
            version = cache.version()
        except CacheUnavailable as error:
            reason = f": {error.__cause__}" if error.__cause__ else ""
            yield warning(
                "memcached",
                f"{error} at {host}:{port}{reason}; requests are not limited",
                "start it, or correct MEMCACHED_URL",
            )
            return
    if numbers(version) < LEAST_VERSION:
        yield problem("memcached", f"version {version}", "upgrade it to 1.6 or newer")
    else:
        yield ok("memcached", f"reachable, version {version}")
