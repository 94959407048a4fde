"""Prints a value that the units need: `python -m local.systemd.unit_settings NAME`.

`install.sh` requests one value at a time, under the service's account. All settings are checked
each time: a server that others can reach must not have the defaults of a local run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from local.environment import LocalEnvironment
from local.http.listener import Listener
from local.preflight import adopt_sdk_variables
from shared.aws.s3 import check_s3_settings
from shared.config.admin_password import admin_password_hash
from shared.config.secrets import SUFFIX, resolve
from shared.config.settings import Settings
from shared.errors import ServiceError, SettingError

NEEDED = ("SECRET_KEY", "DATABASE_URL", "RABBITMQ_URL", "STORAGE_PATH")
"""Required settings; a local run creates or embeds all of these itself."""

PASSWORDS = ("ADMIN_PASSWORD", "ADMIN_PASSWORD_HASH")

HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 # refused, not used
"""Folders that the units cannot see (ProtectHome=, PrivateTmp=)."""


@dataclass(frozen=True, slots=True)
class UnitSettings:
    """The checked settings that the units depend on.

    Attributes:
        storage: the folder that files are written to.
        triggers: the number of workers.
        url: nginx's address, as seen from this machine.
    """

    storage: Path
    triggers: int
    url: str

    @classmethod
    def of(cls, environment: LocalEnvironment) -> Self:
        """Check the settings of a service that others can reach.

        Raises:
            SettingError: settings are missing, all in one line, or one is invalid.
        """
        _require(environment.given)
        with environment.placing_errors():
            settings = Settings.from_mapping(resolve(environment.given))
            settings.require_long_keys()
            admin_password_hash(settings)
            Listener.of(environment)
            _ = environment.tls, environment.schedule_seconds
            _require_visible(environment.given["STORAGE_PATH"])
        if settings.source == "s3":
            adopt_sdk_variables(environment)
            check_s3_settings(settings)
        return cls(environment.storage, environment.triggers, environment.url)

    def drop_in(self) -> str:
        """Return the drop-in that lets the units write to the storage."""
        return f"[Service]\nReadWritePaths={quoted(self.storage)}\n"


def quoted(path: Path) -> str:
    r"""Return a path quoted for a list in a unit file (systemd.syntax(7), systemd.unit(5)).

    ============  ===============
    path          as
    ============  ===============
    ``/srv/a b``  ``"/srv/a b"``
    ``/srv/50%``  ``"/srv/50%%"``
    ``/srv/"a"``  ``"/srv/\"a\""``
    ``/srv/a\b``  ``"/srv/a\\b"``
    ============  ===============
    """
    text = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text}"'


def _require(given: Mapping[str, str]) -> None:
    if "LOCAL_RUN" in given:
        raise SettingError("LOCAL_RUN: for local runs only; remove it")
    missing = [name for name in NEEDED if not {name, f"{name}{SUFFIX}"} & set(given)]
    if given.get("SOURCE", "s3") == "s3" and "AWS_S3_BUCKET_NAME" not in given:
        missing.append("AWS_S3_BUCKET_NAME")
    if not {f"{name}{suffix}" for name in PASSWORDS for suffix in ("", SUFFIX)} & set(given):
        missing.append("ADMIN_PASSWORD_HASH")
    if missing:
        raise SettingError(f"not set: {', '.join(missing)}")


def _require_visible(storage: str) -> None:
    path = Path(storage)
    if not path.is_absolute():
        raise SettingError("STORAGE_PATH: expected an absolute path")
    for folder in HIDDEN:
        if path.resolve().is_relative_to(folder):
            raise SettingError(f"STORAGE_PATH: the service cannot see what is below {folder}")


VALUES: Mapping[str, Callable[[UnitSettings], object]] = {
    "drop-in": UnitSettings.drop_in,
    "storage": lambda found: found.storage,
    "triggers": lambda found: found.triggers,
    "url": lambda found: found.url,
}
"""The values, by the name on the command line."""


def main(arguments: list[str]) -> None:
    """Print one value; an error that the user can fix is one line."""
    (name,) = arguments
    try:
        found = UnitSettings.of(LocalEnvironment.load(os.environ, Path.cwd()))
    except ServiceError as error:
        sys.exit(str(error))
    sys.stdout.write(f"{VALUES[name](found)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
