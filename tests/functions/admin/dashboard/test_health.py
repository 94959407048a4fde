from __future__ import annotations

import threading

from functions.admin.dashboard import health
from functions.admin.dashboard.health import HealthChecks
from shared.errors import CacheUnavailable


def test_every_server_is_asked_and_a_failure_is_that_servers_alone() -> None:
    def away() -> str:
        raise CacheUnavailable

    found = HealthChecks({"Database": lambda: "OK", "Cache": away}).run()
    assert [(server.name, server.ok, server.detail) for server in found] == [
        ("Database", True, "OK"),
        ("Cache", False, "memcached is unreachable"),
    ]
    assert all(0 <= server.milliseconds < health.PROBE_SECONDS * 1000 for server in found)


def test_no_page_waits_for_a_frozen_server() -> None:
    thawed = threading.Event()

    def frozen() -> str:
        thawed.wait()
        return "late"

    checks = HealthChecks({"Queue": frozen, "Database": lambda: "OK"}, seconds=0.2)
    slow, quick = checks.run()
    assert (slow.ok, slow.detail) == (False, "No response in time")
    assert (quick.ok, quick.detail) == (True, "OK")
    thawed.set()
