"""Signed requests as a client sends them: `./sync sign`, `sample`, `sample-requests`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from local.commands import output
from local.commands.exit_codes import USAGE
from local.commands.installation import environment, from_caller, key
from local.commands.output import Json
from shared.errors import FileUnreadable

app = typer.Typer()

SIGN_USAGE = (
    "Usage: ./sync sign BODY, or ./sync sign --file FILE, or ./sync sign < FILE;"
    " make sign takes BODY='…', FILE=… or < FILE. The body may not be empty."
)
"""What is signed is never guessed: without a body there is no signature."""


@app.command()
def sign(
    body: Annotated[
        str | None, typer.Argument(help="The body, exactly as it will be sent.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", help="A file that contains it.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Print the Authorization header of a body: an argument, a file or standard input."""
    from shared.http.signing import sign as signature

    content = _body(body, file)
    if not content:
        typer.echo(SIGN_USAGE, err=True)
        raise typer.Exit(USAGE)
    signed = signature(key(environment()), content)
    if as_json:
        output.print_json({"authorization": signed})
    else:
        typer.echo(signed)


@app.command()
def sample() -> None:
    """Send signed requests for the sample pictures to the running service; show the files."""
    from rich.console import Console

    from local.client import Client
    from local.sample_requests import send

    here = environment()
    # Wide enough for whole checksums, which a person may want to copy.
    console = Console(width=140)
    client = Client(here.url, key(here), show=console.print)
    send(client, here.storage, console)


@app.command()
def sample_requests(
    file: Annotated[Path, typer.Argument(help="The file to write.")] = Path("sample-requests.txt"),
    *,
    as_json: Json = False,
) -> None:
    """Write a file of ready signed curl commands."""
    from local.sample_requests import write_requests

    here = environment()
    number = write_requests(here.url, key(here), from_caller(file))
    if as_json:
        output.print_json({"requests": number, "file": str(file)})
    else:
        typer.echo(f"{number} requests in {file}")


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
        return from_caller(file).read_bytes()
    except OSError as error:
        raise FileUnreadable(f"{file}: {error.strerror}") from error
