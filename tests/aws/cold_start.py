"""`make bench-cold-start`: a cold start of ingest under AWS's runtime client, beside an older one.

Each start is a new process of a built package: the interpreter and the runtime client, the import
of the handler, the secrets, the connections to PostgreSQL and RabbitMQ, and a request's 201. The
packages take turns, so that what else the machine does meets all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import boto3
from rich.console import Console

from local.servers.memcached import MemcachedServer
from tests.aws.exchange import body_of, http_event, signed
from tests.aws.sandbox import Sandbox
from tests.helpers.servers import ADDRESS_VARIABLE, TEMPLATE, Host, ask, free_port
from tests.helpers.service import KEY

FUNCTION = "IngestFunction"
HANDLER = "functions.ingest.handler.handler"
REGION = "eu-west-1"
CREDENTIALS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
IMPORT = (
    "import time; begun = time.perf_counter(); import functions.ingest.handler; "
    "print(1000 * (time.perf_counter() - begun))"
)
COLUMNS = ("import", "initialised", "first answer")


def main() -> None:
    """Print the median and the least of all starts, for each package."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runtime", type=Path, required=True, help="folder of the runtime client")
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("packages", nargs="+", help="NAME=FOLDER of the built packages")
    arguments = parser.parse_args()
    packages = {
        name: Path(folder).absolute() / FUNCTION
        for name, _, folder in (given.partition("=") for given in arguments.packages)
    }
    runtime = arguments.runtime.absolute()
    taken: dict[str, list[tuple[float, ...]]] = {name: [] for name in packages}
    with tempfile.TemporaryDirectory() as folder, _variables(Path(folder)) as variables:
        for number in range(arguments.starts + 1):
            for name, package in packages.items():
                times = _start(package, runtime, variables, Path(folder) / f"{uuid.uuid4()}.log")
                if number:  # the first reads the files from the disk
                    taken[name].append(times)
    console = Console(highlight=False)
    console.print(f"{'package':12} {'':16} {'median':>9}  {'least':>9}")
    for name, starts in taken.items():
        for column, times in zip(COLUMNS, zip(*starts, strict=True), strict=True):
            median, least = statistics.median(times), min(times)
            console.print(f"{name:12} {column:16} {median:6.0f} ms  {least:6.0f} ms")


def _start(
    package: Path, runtime: Path, variables: Mapping[str, str], log: Path
) -> tuple[float, ...]:
    """Return the milliseconds of the import alone, until the runtime asks, and until the answer."""
    done = subprocess.run(
        [sys._base_executable, "-S", "-B", "-c", IMPORT],  # type: ignore[attr-defined]  # noqa: SLF001
        cwd=package,
        check=True,
        capture_output=True,
        text=True,
        env={},
    )
    body = body_of(f"{uuid.uuid4()}.jpg")
    event = http_event("POST", "/sync/", body, signed(body))
    begun = time.perf_counter()
    with Sandbox(package, runtime, HANDLER, variables, log) as sandbox:
        initialised = time.perf_counter()
        answer = sandbox.invoke(event)
        ended = time.perf_counter()
    if answer["statusCode"] != 201:
        raise RuntimeError(f"{answer}\n{log.read_text()}")
    return float(done.stdout), 1000 * (initialised - begun), 1000 * (ended - begun)


@contextmanager
def _variables(folder: Path) -> Iterator[dict[str, str]]:
    """Run the servers, and return what a function is told of them."""
    host = Host()
    os.environ[ADDRESS_VARIABLE] = host.address
    memcached = MemcachedServer(folder / "memcached", free_port())
    memcached.start()
    try:
        memcached.wait_ready()
        endpoint = ask("aws")["endpoint"]
        secrets = boto3.client("secretsmanager", REGION, endpoint_url=endpoint, **CREDENTIALS)

        def secret(text: str) -> str:
            name = f"cold-{uuid.uuid4().hex}"
            return str(secrets.create_secret(Name=name, SecretString=text)["ARN"])

        keys = secret(json.dumps({"current": KEY, "previous": ""}))
        yield {
            "SECRET_KEY_ARN": f"{keys}#current",
            "SECRET_KEY_PREVIOUS_ARN": f"{keys}#previous",
            "DATABASE_URL_ARN": secret(ask("postgres")["url"].rpartition("/")[0] + f"/{TEMPLATE}"),
            "RABBITMQ_URL_ARN": secret(ask("rabbitmq")["url"]),
            "MEMCACHED_URL": memcached.address,
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": endpoint,
            "METRICS_NAMESPACE": "ExternalStorageSync/cold",
        }
    finally:
        memcached.stop()
        host.close()


if __name__ == "__main__":
    main()
