"""Commands that set up an installation: `./sync migrate`, `adopt-storage`, `settings`, …."""

from __future__ import annotations

from typing import Annotated

import typer

from local.commands import output
from local.commands.installation import adopt
from local.commands.output import Json
from local.commands.passwords import asked_password

app = typer.Typer()


@app.command()
def migrate(*, as_json: Json = False) -> None:
    """Bring the ledger's schema up to date, and declare the queues."""
    from local.provisioning import prepare

    output.report(prepare(adopt().given), as_json=as_json)


@app.command()
def adopt_storage(*, as_json: Json = False) -> None:
    """Make the folder STORAGE_PATH this installation's, even if it was another's."""
    from local.storage_owner import adopt as take_over
    from shared.config.startup import start

    adopt()
    output.report(take_over(start()), as_json=as_json)


@app.command()
def hash_password(*, as_json: Json = False) -> None:
    """Print the ADMIN_PASSWORD_HASH of a password, asked for or read from standard input."""
    from shared.passwords import hash_password as hashed

    found = hashed(asked_password())
    if as_json:
        output.print_json({"hash": found})
    else:
        typer.echo(found)


@app.command()
def settings(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Only read those that are set; name an invalid one.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print the table of all settings, as README.md has it."""
    from local.settings import rows, table

    if check:
        from local.commands.installation import environment
        from local.preflight import check_settings

        check_settings(environment().given)
    elif as_json:
        names = ("name", "meaning", "default")
        output.print_json({"settings": [dict(zip(names, row, strict=True)) for row in rows()]})
    else:
        typer.echo(table())
