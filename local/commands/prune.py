"""Retention of history: `./sync prune`."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from local.commands import output
from local.commands.filters import moment
from local.commands.installation import ledger_settings
from local.commands.output import Json

app = typer.Typer()

STATEMENT_SECONDS = 600.0
"""A slice may have to read the whole history; a person waits longer than a request."""

LEAST = timedelta(days=1)
"""What is under way, and what the status of a day shows, is never removed."""


def _before(text: str) -> datetime:
    now = datetime.now(UTC)
    before = moment(text, now)
    if before > now - LEAST:
        raise typer.BadParameter("it must be a day ago or more, such as 365d")
    return before


@app.command(epilog="Example: ./sync prune --older-than 365d --dry-run")
def prune(
    *,
    older_than: Annotated[
        Any,
        typer.Option(parser=_before, metavar="TIME", help="A time, or how long ago: 365d."),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    as_json: Json = False,
) -> None:
    """Remove old history: attempts, actions of the audit, runs with their findings, callbacks.

    No object is removed, nor a pending callback, nor the history of an object that is queued or has
    failed. What was removed before Ctrl-C stays removed; the same command removes the rest.
    """
    from shared.config.settings import needed
    from shared.ledger.database import Database
    from shared.ledger.pruning import QUERIES, Pruning

    url = needed(ledger_settings().database_url, "DATABASE_URL")
    database = Database(url, QUERIES, statement_seconds=STATEMENT_SECONDS)
    with closing(Pruning(database)) as pruning:
        if dry_run:
            pruned = pruning.count(older_than)
        else:
            with output.progress("objects", pruning.last_id()) as reached:
                pruned = pruning.prune(older_than, reached)
    if as_json:
        output.print_json({"dry_run": dry_run, "before": older_than, **asdict(pruned)})
    else:
        done = "would be" if dry_run else "are"
        callbacks = f", {pruned.callbacks:,} callbacks" if pruned.callbacks else ""
        typer.echo(
            f"{pruned.attempts:,} attempts{callbacks}, {pruned.actions:,} actions and"
            f" {pruned.runs:,} runs {done} removed"
        )
