"""What an installation needs to be set up: `./sync migrate`, `adopt-storage`, `settings`, …."""

from __future__ import annotations

import sys

import typer

from local.commands.exit_codes import USAGE
from local.commands.installation import adopt

app = typer.Typer()


@app.command()
def migrate() -> None:
    """Bring the ledger's schema up to date, and declare the queues."""
    from local.provisioning import prepare

    for line in prepare(adopt().given):
        typer.echo(line)


@app.command()
def adopt_storage() -> None:
    """Make the folder STORAGE_PATH this installation's, whichever had it or none."""
    from local.storage_owner import adopt as take_over
    from shared.config.startup import start

    adopt()
    for line in take_over(start()):
        typer.echo(line)


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
        raise typer.Exit(USAGE)
    typer.echo(hashed(password))


@app.command()
def settings() -> None:
    """Print the table of all settings, as README.md has it."""
    from local.settings import table

    typer.echo(table())
