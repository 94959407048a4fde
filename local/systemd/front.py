"""nginx's configuration of the installed service: `python -m local.systemd.front` writes it.

systemd starts nginx itself, so that it is a unit like the others; the configuration is the one of
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
"""As external-storage-sync-http.service has it."""

JOURNAL = "syslog:server=unix:/dev/log,nohostname,tag=nginx"
"""systemd's standard output is a socket, which nginx cannot open by a name."""


def front(environment: LocalEnvironment, folder: Path) -> NginxServer:
    """Return nginx as the settings describe it.

    Args:
        environment: with the settings.
        folder: for its configuration and temporary files.

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
