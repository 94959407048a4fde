"""Commands that show objects: `./sync list` and `show`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from local.commands import callbacks, exit_codes, output
from local.commands.filters import filtered
from local.commands.installation import ledger_settings
from local.commands.output import Json
from shared.ledger.selection import Selection
from shared.queue.messages import MAX_ROW_ID

if TYPE_CHECKING:
    from shared.ledger.database import Database

app = typer.Typer()

DEFAULT_LIMIT = 50
STATEMENT_SECONDS = 60.0
"""A filter may have to read every object, and a person waits longer than an HTTP client."""


@app.command(
    "list",
    epilog="Examples: ./sync list --state failed --reason AccessDenied;"
    " ./sync list --name 'photos/*.jpg' --synced-since 36h --limit 0 --json",
)
@filtered
def list_objects(
    selection: Selection,
    *,
    limit: Annotated[
        int, typer.Option(min=0, help="List at most this many; 0 for all.")
    ] = DEFAULT_LIMIT,
    as_json: Json = False,
) -> None:
    """List objects, newest first; with --json, one document per line."""
    from shared.ledger.objects import Objects

    with closing(_database()) as database:
        shown = 0
        for found in Objects(database).selected(selection, limit or None):
            if as_json:
                output.print_json(found)
            else:
                typer.echo(_row(found) if shown else f"{HEADER}\n{_row(found)}")
            shown += 1
    if not as_json and shown == limit:
        typer.echo(f"only the newest {limit} are listed; --limit 0 lists all", err=True)


@app.command(epilog="Example: ./sync show 7 --json | jq .history")
def show(
    row_id: Annotated[
        int, typer.Argument(min=1, max=MAX_ROW_ID, metavar="ID", help="Id of the object.")
    ],
    *,
    as_json: Json = False,
) -> None:
    """Show everything about one object, with its history and its callbacks."""
    from shared.ledger.callbacks import Callbacks
    from shared.ledger.objects import Objects

    with closing(_database()) as database:
        objects = Objects(database)
        found = objects.get(row_id)
        history = objects.history(row_id) if found else []
        told = Callbacks(database).of(row_id) if found else []
    if found is None:
        typer.echo(f"there is no object {row_id}", err=True)
        raise typer.Exit(exit_codes.PROBLEM)
    if as_json:
        output.print_json({**found, "history": history, "callbacks": list(map(asdict, told))})
    else:
        output.print_lines([*_details(found, history), *map(callbacks.line, told)])


HEADER = f"{'id':>9}  {'state':9}  {'attempts':>8}  {'size':>9}  {'received':19}  name"


def _row(found: Mapping[str, Any]) -> str:
    size = "-" if found["size_bytes"] is None else output.size(found["size_bytes"])
    remarks = [found["last_error"]] if found["last_error"] else []
    if found["verification"] not in {None, "ok"}:
        remarks.append(found["verification"])
    return (
        f"{found['id']:>9}  {found['state']:9}  {found['attempts']:>8}  {size:>9}"
        f"  {output.moment(found['created_at'])}  {output.printable(found['file_name'])}"
        + "".join(f"  [{output.printable(remark)}]" for remark in remarks)
    )


def _details(found: Mapping[str, Any], history: list[dict[str, Any]]) -> Iterator[str]:
    for name, value in found.items():
        if value is not None:
            yield f"{name.replace('_', ' '):26} {_shown(name, value)}"
    if history:
        yield ""
    for entry in history:
        attempt = f"attempt {entry['attempt']}" if entry["attempt"] else entry["actor"]
        took = "" if entry["seconds"] is None else f", {entry['seconds']:.1f} s"
        reason = f": {output.printable(entry['reason'])}" if entry["reason"] else ""
        yield f"{output.moment(entry['at'])}  {entry['what']} ({attempt}{took}){reason}"


def _shown(name: str, value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if hasattr(value, "astimezone"):
        return output.moment(value)
    return (
        f"{value:,} ({output.size(value)})"
        if name == "size_bytes"
        else output.printable(str(value))
    )


def _database() -> Database:
    from shared.config.settings import needed
    from shared.ledger import callbacks, objects
    from shared.ledger.database import Database

    url = needed(ledger_settings().database_url, "DATABASE_URL")
    queries = (objects.QUERIES, callbacks.QUERIES)
    return Database(url, *queries, statement_seconds=STATEMENT_SECONDS)
