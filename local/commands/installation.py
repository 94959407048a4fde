"""Which installation a command works on: its settings, its servers, its key, the caller's files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from local.environment import LocalEnvironment

if TYPE_CHECKING:
    from shared.config.settings import Settings


CONNECT_SECONDS = 5.0
"""Time limit for a connection while a person waits."""


def environment() -> LocalEnvironment:
    """Return the configuration in the project's folder.

    Raises:
        SettingError: `.env` cannot be read, or has a name that nothing reads.
    """
    return LocalEnvironment.load(os.environ, Path.cwd())


def adopt() -> LocalEnvironment:
    """Make the running installation's environment this process's own, where functions read it.

    Raises:
        NothingRuns, SeveralRun, Unreadable: see `local.discovery.find`.
        SettingError: a setting is invalid.
    """
    from local.discovery import with_servers

    adopted = with_servers(environment())
    os.environ.update(adopted.given)
    return adopted


def adopt_with_ledger() -> LocalEnvironment:
    """Do the same for a long-running process, and refuse a database that it cannot use.

    Raises:
        NothingRuns, SeveralRun, Unreadable, SettingError: as `adopt`.
    """
    from local.provisioning import check_database

    adopted = adopt()
    os.environ["METRICS_PATH"] = str(adopted.metrics)
    check_database(adopted.given)
    return adopted


def settings_of(here: LocalEnvironment) -> Settings:
    """Return the settings of the running installation, for a command that queries or changes it.

    Nothing is logged: the command prints its own errors.

    Raises:
        NothingRuns, SeveralRun, Unreadable, SettingError: as `adopt`.
    """
    from local.discovery import with_servers
    from shared import log
    from shared.config import secrets
    from shared.config.settings import Settings

    given = with_servers(here).given
    os.environ.update(given)  # boto3 reads its own variables there
    log.configure("CRITICAL")
    with here.placing_errors():
        return Settings.from_mapping(secrets.resolve(given))


def ledger_settings() -> Settings:
    """Return the settings of the running installation, whose ledger is reachable and up to date.

    Raises:
        NothingRuns, SeveralRun, Unreadable, SettingError: as `adopt`.
        LedgerUnavailable: PostgreSQL is unreachable; the text has the reason.
        MigrationsPending: the ledger's schema is of an earlier version.
    """
    from local.provisioning import require_ledger

    settings = settings_of(environment())
    require_ledger(settings, CONNECT_SECONDS)
    return settings


def key(of: LocalEnvironment) -> bytes:
    """Return the key that requests are signed with."""
    return of.local_variables()["SECRET_KEY"].encode()


def from_caller(file: Path) -> Path:
    """Return a file, relative to the folder that the user ran `./sync` in."""
    return Path(os.environ.get("CALLER_DIRECTORY", ""), file)
