"""The command line, `./sync`: its groups of commands, and what becomes of errors.

The file `sync` runs it in the project's folder, where `.env` and `.local` are, whatever folder it
is typed in. Processes that are started by others, `python -m local …`, take the folder they are
started in.

A group is a module of `local/commands`. Every command imports what it needs by itself: `serve`
must not wait for moto, nor `sign` for PostgreSQL.
"""

from __future__ import annotations

import sys

import typer

from local.commands import objects, processes, requests, services, setup, status
from local.commands.exit_codes import PROBLEM
from shared.errors import ServiceError

NAME = "./sync"

app = typer.Typer(
    help="external-storage-sync on this machine. Settings come from the environment and from the"
    " file .env in the project's folder.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for group in (status, objects, requests, setup, processes):
    app.add_typer(group.app)
app.add_typer(services.app, name="services")


def main() -> None:
    """Run the command line; an error that a person can fix is one line, without a traceback."""
    try:
        app(prog_name=NAME)
    except ServiceError as error:
        typer.echo(error, err=True)
        sys.exit(PROBLEM)
