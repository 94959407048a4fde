"""Where the parts of a running installation are: its servers, address, files and key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.discovery import LEDGER_SETTINGS, find
from local.environment import LocalEnvironment

_SERVERS = (
    ("ledger", "DATABASE_URL"),
    ("queue", "RABBITMQ_URL"),
    ("cache", "MEMCACHED_URL"),
    ("s3", "AWS_ENDPOINT_URL_S3"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where one server is.

    Attributes:
        address: host and port, without a login.
        origin: what started it, such as "make run"; "as set" if a setting names it.
    """

    address: str
    origin: str


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything is, without passwords or keys.

    Attributes:
        servers: by name; unused ones are left out.
        url: where clients send their requests.
        storage: the folder of the files.
        key: where the key that signs requests is kept.
    """

    servers: Mapping[str, Place]
    url: str
    storage: Path
    key: str


def places(environment: LocalEnvironment) -> Places:
    """Return where everything is.

    Raises:
        NothingRuns, SeveralRun, Unreadable: see `local.discovery.find`.
        SettingError: a setting is invalid.
    """
    if LEDGER_SETTINGS & set(environment.given):
        origin, variables = "DATABASE_URL", environment.given
    else:
        found = find(environment)
        origin, variables = found.command, {**found.variables, **environment.given}
    servers = {
        name: Place(
            _address(variables[setting]), "as set" if setting in environment.given else origin
        )
        for name, setting in _SERVERS
        if setting in variables
    }
    return Places(servers, f"{environment.url}/sync/", environment.storage, key_place(environment))


def key_place(environment: LocalEnvironment) -> str:
    """Return where the key that signs requests is kept."""
    for setting in ("SECRET_KEY", "SECRET_KEY_ARN"):
        if setting in environment.given:
            return f"{setting}, from the environment or .env"
    return str(environment.data_dir / "secret_key")


def _address(value: str) -> str:
    """Return the host and port of a URL, or of an address without a scheme; of several, all."""
    # By hand: urlsplit takes no list of IPv6 addresses.
    netloc = re.split("[/?#]", re.sub("[a-z]+://", "", value), maxsplit=1)[0]
    return netloc.rpartition("@")[2]
