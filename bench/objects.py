"""The servers that objects come from: SeaweedFS, an S3 server, and nginx, as fast as any."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.servers.ports import answers, free_port
from local.servers.process import Command, Process
from local.servers.programs import find
from shared.aws.s3 import s3_client
from shared.config.settings import Settings

BUCKET = "bench"
RUNS = f"rewrite ^/{BUCKET}/run[0-9]+-([0-9]+[.]bin)$ /{BUCKET}/run0-$1 break;"
"""nginx answers the keys of every run with the objects of the first."""

READY_SECONDS = 60.0
_PIECE = 4 << 20


@dataclass(frozen=True, slots=True)
class ObjectServer:
    """Where objects are.

    Attributes:
        name: what a reader calls it.
        port: of 127.0.0.1.
        access_key: its login; nginx checks no login.
        secret_key: the login's secret.
        bucket: where they are.
        pid: of its process.
    """

    name: str
    port: int
    access_key: str
    secret_key: str
    bucket: str = BUCKET
    pid: int = 0

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def login(self) -> dict[str, str]:
        """The variables by which the AWS tools log in."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": "us-east-1",
        }

    def variables(self, storage: Path) -> dict[str, str]:
        """Return the settings of a worker that copies from it."""
        return {
            "AWS_S3_BUCKET_NAME": self.bucket,
            "AWS_S3_ACCESS_KEY_ID": self.access_key,
            "AWS_S3_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_S3_REGION_NAME": "us-east-1",
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "STORAGE_PATH": str(storage),
        }


def keys(number: int, run: int = 0) -> list[str]:
    """Name so many objects.

    Args:
        number: how many.
        run: in which they are copied. A name that the ledger has a file of is compared with it
            first, so no run may repeat another's.
    """
    return [f"run{run}-{n:05}.bin" for n in range(number)]


def write(folder: Path, name: str, size: int, *, random: bool = True) -> Path:
    """Write an object of random bytes, or a sparse one of zeros, and return its file."""
    path = folder / BUCKET / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if random:
        return write_random(path, size)
    with path.open("wb") as file:
        file.truncate(size)
    return path


def write_random(path: Path, size: int) -> Path:
    """Write a file of so many random bytes, and return it."""
    with path.open("wb") as file:
        for at in range(0, size, _PIECE):
            file.write(os.urandom(min(_PIECE, size - at)))
    return path


@contextmanager
def nginx(folder: Path, files: Path, directives: str = "") -> Iterator[ObjectServer]:
    """Serve the files below a folder; `directives` are added to the server's."""
    port, home = free_port(), folder / "nginx"
    home.mkdir(exist_ok=True)
    places = "".join(
        f"{kind}_temp_path {home}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (home / "nginx.conf").write_text(
        f"daemon off; {'user root;' if os.geteuid() == 0 else ''} worker_processes 1;"
        f" pid {home}/pid; error_log {home}/error.log;"
        " events { worker_connections 1024; }"
        " http { default_type application/octet-stream; access_log off; sendfile on; tcp_nopush on;"
        f" keepalive_requests 1000000; {places}"
        f" server {{ listen 127.0.0.1:{port}; root {files}; {directives} }} }}"
    )
    process = Process("nginx", home)
    command = [find("nginx", "nginx"), "-c", f"{home}/nginx.conf", "-p", str(home)]
    process.start(Command(command, {"PATH": os.defpath}), port)
    try:
        process.wait_until(lambda: answers(port, b"", b""), READY_SECONDS)
        yield ObjectServer("nginx", port, "anybody", "anything", pid=process.pid or 0)
    finally:
        process.stop()


@contextmanager
def seaweedfs(folder: Path, notification: str = "") -> Iterator[ObjectServer]:
    """Run an S3 server with one empty bucket.

    Args:
        folder: for its files.
        notification: its `notification.toml`.
    """
    home = folder / "seaweedfs"
    settings = home / ".seaweedfs"
    settings.mkdir(parents=True)
    (settings / "notification.toml").write_text(notification)
    server = ObjectServer("SeaweedFS", free_port(), "bench", secrets.token_hex(16))
    login = {"accessKey": server.access_key, "secretKey": server.secret_key}
    identity = {"name": "bench", "credentials": [login], "actions": ["Admin", "Read", "Write"]}
    configuration = home / "s3.json"
    configuration.write_text(json.dumps({"identities": [identity]}))
    program = Path(sys.executable).with_name("weed")
    command = [str(program), "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={home}"]
    command += ["-s3", f"-s3.port={server.port}", f"-s3.config={configuration}"]
    command += ["-volume.max=100", "-master.volumeSizeLimitMB=1024", "-master.telemetry=false"]
    for part in ("master", "volume", "filer"):
        command += [f"-{part}.port={free_port()}", f"-{part}.port.grpc={free_port()}"]
    command += [f"-s3.port.grpc={free_port()}", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    command += [f"-filer.localSocket={home}/filer.sock", f"-s3.localSocket={home}/s3.sock"]
    process = Process("seaweedfs", home)
    variables = {"PATH": os.defpath, "HOME": str(home)}
    process.start(Command(command, variables), server.port)
    try:
        s3 = s3_client(Settings.from_mapping(server.variables(home)))

        def made() -> bool:
            if not answers(server.port, b"", b""):
                return False
            try:
                s3.create_bucket(Bucket=BUCKET)
            except Exception:  # its parts are not all up yet  # noqa: BLE001
                return False
            return True

        process.wait_until(made, READY_SECONDS)
        yield server
    finally:
        process.stop()
