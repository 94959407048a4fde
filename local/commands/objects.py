"""What a person does about objects: `./sync retry`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from local.commands.installation import adopt

app = typer.Typer()


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
    adopt()
    ledger = adapters.ledger(start())
    batches = failed_of(ledger, row_id) if row_id else all_failed(ledger, since)
    for line in put_back(ledger, batches, dry_run=dry_run):
        typer.echo(line)
