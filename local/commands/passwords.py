"""A password from the terminal, or from standard input."""

from __future__ import annotations

import sys

import typer

from local.commands.exit_codes import USAGE


def asked_password() -> str:
    """Return the password that is typed twice, or read from standard input if it is not a terminal.

    Raises:
        Exit: it is empty.
    """
    if sys.stdin.isatty():
        password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        typer.echo("No password was given", err=True)
        raise typer.Exit(USAGE)
    return password
