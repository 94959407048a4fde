"""The command line, `./sync`: its groups of commands, and how errors end it.

The file `sync` runs it in the project's folder, where `.env` and `.local` are, whatever folder
the user is in. Processes started as `python -m local …` use the folder they are started in.

A group is a module of `local/commands`. Each command imports only what it needs: `serve`
must not wait for moto to load, nor `sign` for psycopg2.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from typer.main import get_command

from local.commands import (
    actions,
    aws,
    aws_costs,
    callbacks,
    completion,
    dead_letters,
    doctor,
    objects,
    processes,
    prune,
    reconcile,
    requests,
    services,
    setup,
    status,
    verify,
)
from local.commands.exit_codes import BROKEN_PIPE, INTERRUPTED, PROBLEM
from shared.errors import ServiceError

NAME = "./sync"

app = typer.Typer(
    help="external-storage-sync on this machine. Settings come from the environment and from the"
    " file .env in the project's folder. Exit codes: 0 success, 1 a problem was found or an error"
    " occurred, 2 invalid usage, 130 interrupted by Ctrl-C.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (
    status,
    doctor,
    objects,
    actions,
    reconcile,
    verify,
    callbacks,
    prune,
    requests,
    setup,
    processes,
):
    app.add_typer(group.app)
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(services.app, name="services")
aws.app.add_typer(aws_costs.app)
app.add_typer(aws.app, name="aws")


def main() -> None:
    """Run the command line; an error that a person can fix is one line, without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name may have letters the locale lacks
            stream.reconfigure(errors="backslashreplace")
    command = get_command(app)
    completion.adjust(command)
    with _explained():
        command(prog_name=NAME, complete_var=completion.VARIABLE)


@contextmanager
def _explained() -> Iterator[None]:
    """End the process with a line and an exit code for what is no fault of this program."""
    try:
        yield
    except ServiceError as error:
        typer.echo(error, err=True)
        sys.exit(PROBLEM)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except SystemExit as end:
        # typer, and rich likewise, end with 1 when the reader of a pipe has gone.
        if isinstance(end.__context__, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(BROKEN_PIPE)
        raise
    except OSError as error:
        if error.filename is None:
            raise
        typer.echo(f"{error.filename}: {error.strerror}", err=True)
        sys.exit(PROBLEM)
