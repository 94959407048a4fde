from __future__ import annotations

import subprocess
import sys

import pytest

CLIENTS = {"boto3", "botocore", "awscrt", "http.client", "requests", "pycurl", "pika", "moto"}
"""Each of them would be felt in every cold start of a function that does not need it."""

LOADED = """
import sys, {module}
print(*{{part for name in sys.modules for part in (name, name.partition(".")[0])}})
"""


def loaded(module: str) -> set[str]:
    """Return what a fresh interpreter has loaded after one import."""
    code = LOADED.format(module=module)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("module", "needless"),
    [
        ("functions.ingest.handler", CLIENTS | {"local", "jinja2", "pydantic"}),
        ("functions.stats.handler", CLIENTS | {"local", "jinja2", "pydantic"}),
        ("functions.migrate.handler", {"aiosql", "boto3", "jinja2", "local", "pydantic"}),
        ("functions.requeue.handler", CLIENTS | {"local", "jinja2", "pydantic", "pymemcache"}),
        ("functions.reconcile.handler", CLIENTS | {"local", "jinja2", "pydantic", "pymemcache"}),
        ("functions.s3_events.handler", CLIENTS | {"local", "jinja2", "pydantic", "pymemcache"}),
        ("functions.sync_worker.handler", CLIENTS | {"local", "jinja2", "pydantic", "pymemcache"}),
    ],
)
def test_a_function_loads_no_client_before_it_needs_one(module: str, needless: set[str]) -> None:
    found = loaded(module)
    assert module.partition(".")[0] in found
    assert found & needless == set()
