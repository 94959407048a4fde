"""The command line of the local runtime, `python -m local`."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from local import services
from local.environment import LocalEnvironment
from shared.errors import ServiceError

app = typer.Typer(
    help="external-storage-sync, on this machine.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(services.app, name="services")

# Every command imports what it needs by itself: `serve` must not wait for moto, nor `sign` for
# PostgreSQL.


@app.command()
def run() -> None:
    """Start everything in one command; what is not set up as a server is embedded."""
    from local.run import run as run_all

    run_all(_environment())


@app.command()
def s3() -> None:
    """Serve the local S3 by itself, filled with the sample pictures."""
    from local.s3 import serve as serve_s3

    serve_s3(_environment())


@app.command()
def serve() -> None:
    """Answer HTTP: the shim in front of the functions."""
    from local.http.serve import serve as serve_http

    serve_http(_adopted())


@app.command()
def trigger() -> None:
    """Hand messages from RabbitMQ to the sync worker."""
    from local.trigger import main as consume

    _adopted()
    consume()


@app.command()
def scheduler() -> None:
    """Run every schedule of the template; without RabbitMQ, hand due rows to the sync worker."""
    from local.scheduler import main as run_scheduler

    run_scheduler(_adopted())


@app.command()
def migrate() -> None:
    """Bring the ledger's schema up to date, and declare the queues."""
    from local.provisioning import prepare

    for line in prepare(_adopted().given):
        typer.echo(line)


@app.command()
def retry(
    row_id: Annotated[
        list[int] | None,
        typer.Option("--id", min=1, max=2**63 - 1, help="This object; may be repeated."),
    ] = None,
    failed_since: Annotated[
        str | None,
        typer.Option(help="All that failed since then: 2026-01-31T12:00, or 90m, 36h, 7d ago."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that failed.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what, and do nothing.")] = False,
) -> None:
    """Put failed objects back in the queue, with all their attempts before them."""
    from local.retry import all_failed, failed_of, moment
    from local.retry import retry as put_back
    from shared.config.settings import needed
    from shared.config.startup import start
    from shared.ledger.ledger import Ledger

    if [bool(row_id), failed_since is not None, everything].count(True) != 1:
        raise typer.BadParameter("give one of --id, --failed-since and --all")
    _adopted()
    ledger = Ledger.at(needed(start(required=("DATABASE_URL",)).database_url, "DATABASE_URL"))
    since = moment(failed_since, datetime.now(UTC)) if failed_since else None
    portions = failed_of(ledger, row_id) if row_id else all_failed(ledger, since)
    for line in put_back(ledger, portions, dry_run=dry_run):
        typer.echo(line)


@app.command()
def sign(
    body: Annotated[str, typer.Argument(help="The body, byte for byte as it will be sent.")],
) -> None:
    """Print the Authorization header of a body."""
    from shared.http.signing import sign as signature

    typer.echo(signature(_key(_environment()), body.encode()))


@app.command()
def hash_password() -> None:
    """Print the ADMIN_PASSWORD_HASH of a password, which is asked for or read from a pipe."""
    from shared.passwords import hash_password as hashed

    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        typer.echo("A password is needed", err=True)
        raise typer.Exit(1)
    typer.echo(hashed(password))


@app.command()
def settings() -> None:
    """Print every setting with its meaning and default."""
    from local.settings import table

    typer.echo(table())


@app.command()
def sample() -> None:
    """Send requests for the sample pictures to the running service and show the files."""
    from rich.console import Console

    from local.client import Client
    from local.sample_requests import send

    environment = _environment()
    client = Client(environment.url, _key(environment))
    # Wide enough for whole checksums, which a person may want to copy.
    send(client, environment.storage, Console(width=140))


@app.command()
def sample_requests(
    file: Annotated[Path, typer.Argument(help="The file to write.")] = Path("sample-requests.txt"),
) -> None:
    """Write a file of ready signed curl commands."""
    from local.sample_requests import write_requests

    environment = _environment()
    number = write_requests(environment.url, _key(environment), file)
    typer.echo(f"{number} requests in {file}")


def main() -> None:
    """Runs the command line; what a person can mend is said in one line, without a traceback."""
    try:
        app()
    except ServiceError as error:
        typer.echo(error, err=True)
        sys.exit(1)


def _environment() -> LocalEnvironment:
    return LocalEnvironment.load(os.environ, Path.cwd())


def _adopted() -> LocalEnvironment:
    """Makes the environment this process's own: the functions read it from there."""
    environment = _environment()
    os.environ.update(environment.given)
    return environment


def _key(environment: LocalEnvironment) -> bytes:
    return environment.local_variables()["SECRET_KEY"].encode()
