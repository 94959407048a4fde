"""What runs and how far it is: `./sync status`."""

from __future__ import annotations

import typer

from local.commands.installation import environment

app = typer.Typer()


@app.command()
def status() -> None:
    """Show what runs: servers, address, files, where the key is kept."""
    from local.status import status as lines

    for line in lines(environment()):
        typer.echo(line)
