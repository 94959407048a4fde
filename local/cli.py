"""The command line, `./sync`.

The file `sync` runs it in the project's folder, where `.env` and `.local` are, whatever folder it
is typed in. Processes that are started by others, `python -m local …`, take the folder they are
started in.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from local import services
from local.commands import reconcile
from local.environment import LocalEnvironment
from shared.errors import FileUnreadable, ServiceError

app = typer.Typer(
    help="external-storage-sync on this machine. Settings come from the environment and from the"
    " file .env in the project's folder.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(services.app, name="services")
app.add_typer(reconcile.app)

NAME = "./sync"
SIGN_USAGE = (
    f"Usage: {NAME} sign BODY, or {NAME} sign --file FILE, or {NAME} sign < FILE;"
    " make sign takes BODY='…', FILE=… or < FILE. The body may not be empty."
)
"""What is signed is never guessed: without a body there is no signature."""

USAGE_ERROR = 2

# Every command imports what it needs by itself: `serve` must not wait for moto, nor `sign` for
# PostgreSQL.


@app.command()
def run() -> None:
    """Start everything; a server that no setting names is embedded."""
    from local.run import run as run_all

    run_all(_environment())


@app.command()
def s3() -> None:
    """Serve the local S3 alone, filled with the sample pictures."""
    from local.s3 import serve as serve_s3

    serve_s3(_environment())


@app.command()
def serve() -> None:
    """Answer HTTP in front of the functions."""
    from local.http.serve import serve as serve_http

    serve_http(_adopt_with_ledger())


@app.command()
def trigger() -> None:
    """Hand messages from RabbitMQ to the sync worker."""
    from local.trigger import main as consume

    _adopt_with_ledger()
    consume()


@app.command()
def scheduler() -> None:
    """Run every schedule of the template; without RabbitMQ, hand due rows to the sync worker."""
    from local.scheduler import main as run_scheduler

    run_scheduler(_adopt_with_ledger())


@app.command()
def migrate() -> None:
    """Bring the ledger's schema up to date, and declare the queues."""
    from local.provisioning import prepare

    for line in prepare(_adopt().given):
        typer.echo(line)


@app.command()
def adopt_storage() -> None:
    """Make the folder STORAGE_PATH this installation's, whichever had it or none."""
    from local.storage_owner import adopt
    from shared.config.startup import start

    _adopt()
    for line in adopt(start()):
        typer.echo(line)


@app.command()
def status() -> None:
    """Show what runs: servers, address, files, where the key is kept."""
    from local.status import status as lines

    for line in lines(_environment()):
        typer.echo(line)


@app.command()
def retry(
    row_id: Annotated[
        list[int] | None,
        typer.Option("--id", min=1, max=2**63 - 1, help="This object's id; may be repeated."),
    ] = None,
    failed_since: Annotated[
        str | None,
        typer.Option(help="Those that failed since then: 2026-01-31T12:00, or 90m, 36h, 7d ago."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every failed object.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing, only show.")] = False,
) -> None:
    """Put failed objects back in the queue, with all attempts allowed again."""
    from local.retry import all_failed, failed_of, moment
    from local.retry import retry as put_back
    from shared import adapters
    from shared.config.startup import start

    if [bool(row_id), failed_since is not None, everything].count(True) != 1:
        raise typer.BadParameter("give one of --id, --failed-since and --all")
    since = None if failed_since is None else moment(failed_since, datetime.now(UTC))
    _adopt()
    ledger = adapters.ledger(start())
    batches = failed_of(ledger, row_id) if row_id else all_failed(ledger, since)
    for line in put_back(ledger, batches, dry_run=dry_run):
        typer.echo(line)


@app.command()
def sign(
    body: Annotated[
        str | None, typer.Argument(help="The body, exactly as it will be sent.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", help="A file that contains it.")] = None,
) -> None:
    """Print the Authorization header of a body: an argument, a file or standard input."""
    from shared.http.signing import sign as signature

    content = _body(body, file)
    if not content:
        typer.echo(SIGN_USAGE, err=True)
        raise typer.Exit(USAGE_ERROR)
    typer.echo(signature(_key(_environment()), content))


@app.command()
def hash_password() -> None:
    """Print the ADMIN_PASSWORD_HASH of a password, asked for or read from standard input."""
    from shared.passwords import hash_password as hashed

    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        typer.echo("No password was given", err=True)
        raise typer.Exit(USAGE_ERROR)
    typer.echo(hashed(password))


@app.command()
def settings() -> None:
    """Print the table of all settings, as README.md has it."""
    from local.settings import table

    typer.echo(table())


@app.command()
def sample() -> None:
    """Send signed requests for the sample pictures to the running service; show the files."""
    from rich.console import Console

    from local.client import Client
    from local.sample_requests import send

    environment = _environment()
    # Wide enough for whole checksums, which a person may want to copy.
    console = Console(width=140)
    client = Client(environment.url, _key(environment), show=console.print)
    send(client, environment.storage, console)


@app.command()
def sample_requests(
    file: Annotated[Path, typer.Argument(help="The file to write.")] = Path("sample-requests.txt"),
) -> None:
    """Write a file of ready signed curl commands."""
    from local.sample_requests import write_requests

    environment = _environment()
    number = write_requests(environment.url, _key(environment), _from_caller(file))
    typer.echo(f"{number} requests in {file}")


def main() -> None:
    """Run the command line; an error that a person can fix is one line, without a traceback."""
    try:
        app(prog_name=NAME)
    except ServiceError as error:
        typer.echo(error, err=True)
        sys.exit(1)


def _environment() -> LocalEnvironment:
    return LocalEnvironment.load(os.environ, Path.cwd())


def _adopt() -> LocalEnvironment:
    """Make the environment this process's own, where the functions read it."""
    from local.discovery import with_servers

    environment = with_servers(_environment())
    os.environ.update(environment.given)
    return environment


def _adopt_with_ledger() -> LocalEnvironment:
    """Do the same for a process that serves, and refuse a database that it cannot serve with."""
    from local.provisioning import check_database

    environment = _adopt()
    check_database(environment.given)
    return environment


def _key(environment: LocalEnvironment) -> bytes:
    return environment.local_variables()["SECRET_KEY"].encode()


def _body(argument: str | None, file: Path | None) -> bytes:
    """Return the one body that was given, or nothing where there is none or more than one.

    Raises:
        FileUnreadable: the file cannot be read.
    """
    if argument is not None:
        return b"" if file else os.fsencode(argument)
    if file is None:
        return b"" if sys.stdin.isatty() else sys.stdin.buffer.read()
    try:
        return _from_caller(file).read_bytes()
    except OSError as error:
        raise FileUnreadable(f"{file}: {error.strerror}") from error


def _from_caller(file: Path) -> Path:
    """Return a file as it was named in the folder that `./sync` was typed in."""
    return Path(os.environ.get("CALLER_DIRECTORY", ""), file)
