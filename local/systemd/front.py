"""Writes nginx's configuration for the installed service: `python -m local.systemd.front`.

systemd starts nginx itself, as a unit like the others; the configuration is that of
`make services`, filled in from the same settings.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from local.environment import LocalEnvironment
from local.servers.nginx import NginxServer, Tls
from shared.config.settings import Settings
from shared.errors import SettingError

FUNCTIONS_PORT = 27003
"""Same as in external-storage-sync-http.service."""

JOURNAL = "syslog:server=unix:/dev/log,nohostname,tag=nginx"
"""systemd's standard output is a socket, which nginx cannot open by name."""


def front(environment: LocalEnvironment, folder: Path) -> NginxServer:
    """Return nginx as the settings describe it.

    Args:
        environment: contains the settings.
        folder: where its configuration and temporary files are written.

    Raises:
        SettingError: a setting is invalid.
    """
    settings = Settings.from_mapping(environment.given)
    return NginxServer(
        folder,
        environment.port,
        functions_port=FUNCTIONS_PORT,
        storage=environment.storage,
        max_body_bytes=settings.max_body_bytes,
        host=environment.host,
        hosts=environment.allowed_hosts.pattern,
        proxies=settings.trusted_proxies,
        tls=Tls(*environment.tls) if environment.tls else None,
        access_log=JOURNAL,
    )


def main() -> None:
    """Write the configuration to `RUNTIME_DIRECTORY`, which systemd sets."""
    try:
        environment = LocalEnvironment.load(os.environ, Path.cwd())
        front(environment, Path(os.environ["RUNTIME_DIRECTORY"])).configure()
    except SettingError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
