from __future__ import annotations

import re
import subprocess
from pathlib import Path

from local.environment import LocalEnvironment
from local.servers.errors import ProgramMissing
from local.servers.programs import find
from local.systemd.front import FUNCTIONS_PORT, front
from tests.helpers.certificates import certificate
from tests.helpers.missing import missing
from tests.helpers.servers import free_port


def test_the_configuration_is_the_one_of_the_settings(tmp_path: Path) -> None:
    try:
        nginx = find("nginx", "nginx")
    except ProgramMissing as error:
        missing(error.about)
    chain, key = certificate(tmp_path / "tls", "sync.example.com")
    port = free_port()
    given = {
        "HOST": "0.0.0.0",
        "PORT": str(port),
        "ALLOWED_HOSTS": "sync.example.com",
        "TRUSTED_PROXIES": "192.0.2.7",
        "MAX_BODY_BYTES": "1000",
        "STORAGE_PATH": str(tmp_path / "files"),
        "TLS_CERTIFICATE": str(chain),
        "TLS_KEY": str(key),
    }
    file = front(LocalEnvironment.load(given, tmp_path), tmp_path / "run").configure()

    text = file.read_text()
    for line in (
        f"listen 0.0.0.0:{port} ssl;",
        f"server 127.0.0.1:{FUNCTIONS_PORT};",
        "set_real_ip_from 192.0.2.7/32;",
        "client_max_body_size 2000;",
        "access_log syslog:server=unix:/dev/log,nohostname,tag=nginx requests;",
    ):
        assert line in text
    assert re.search(r"sync\\\.example\\\.com", text)
    # A machine without systemd may have no /dev/log.
    file.write_text(text.replace("unix:/dev/log", "127.0.0.1"))
    done = subprocess.run(
        [nginx, "-t", "-e", "stderr", "-p", str(file.parent), "-c", str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
