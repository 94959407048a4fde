"""What runs, and where everything of it is: `./sync status`."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from local.client import Client, NotAnswered
from local.discovery import LEDGER_SETTINGS, find
from local.environment import LocalEnvironment


def status(environment: LocalEnvironment) -> Iterator[str]:
    """Yield a line for each part of the service, never with a password or key.

    Raises:
        NothingRuns, SeveralRun, Unreadable: see `local.discovery.find`.
        SettingError: a setting is invalid.
    """
    if LEDGER_SETTINGS & set(environment.given):
        source, variables = "DATABASE_URL", environment.given
    else:
        found = find(environment)
        source, variables = found.command, {**found.variables, **environment.given}
    for name, setting in (
        ("Ledger", "DATABASE_URL"),
        ("Queue", "RABBITMQ_URL"),
        ("Cache", "MEMCACHED_URL"),
        ("S3", "AWS_ENDPOINT_URL_S3"),
    ):
        if setting in variables:
            origin = "as set" if setting in environment.given else source
            yield f"{name:8} {_address(variables[setting])}  ({origin})"
    yield f"URL      {environment.url}/sync/  ({_answer(environment)})"
    yield f"Files    {environment.storage}"
    yield f"Key      {key_place(environment)}"


def key_place(environment: LocalEnvironment) -> str:
    """Return where the key that signs requests is kept."""
    for setting in ("SECRET_KEY", "SECRET_KEY_ARN"):
        if setting in environment.given:
            return f"{setting}, from the environment or .env"
    return str(environment.data_dir / "secret_key")


def _address(value: str) -> str:
    """Return host and port of a URL, or of an address without a scheme."""
    parts = urlsplit(value if "://" in value else f"//{value}")
    return parts.netloc.rpartition("@")[2]


def _answer(environment: LocalEnvironment) -> str:
    key = environment.local_variables()["SECRET_KEY"].encode()
    try:
        counts = Client(environment.url, key, retry_seconds=0).counts()
    except NotAnswered as error:
        return error.reason
    return f"{counts['synced_objects_count']} synced, {counts['queued_objects_count']} queued"
