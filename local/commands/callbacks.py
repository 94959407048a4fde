"""What the client was told of its objects: `./sync callbacks` and `replay`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from local.commands import exit_codes, output
from local.commands.actions import unknown
from local.commands.filters import moment
from local.commands.installation import ledger_settings
from local.commands.output import Json
from shared.queue.messages import MAX_ROW_ID

if TYPE_CHECKING:
    from shared.ledger.callbacks import Callback, CallbackCounts, Callbacks, CallbackState
    from shared.ledger.database import Database

app = typer.Typer()

DEFAULT_LIMIT = 50
PAGE = 1_000
STATEMENT_SECONDS = 60.0
"""A million callbacks may have to be read, and a person waits longer than an HTTP client."""

HEADER = f"{'id':>9}  {'event':13}  {'state':11}  {'attempts':>8}  {'recorded':19}  object, name"


def _since(text: str) -> datetime:
    return moment(text, datetime.now(UTC))


@app.command(epilog="Examples: ./sync callbacks --undelivered; ./sync callbacks --object 7 --json")
def callbacks(
    *,
    undelivered: Annotated[
        bool, typer.Option("--undelivered", help="List those that were given up.")
    ] = False,
    pending: Annotated[
        bool, typer.Option("--pending", help="List those yet to be delivered.")
    ] = False,
    row_id: Annotated[
        int | None,
        typer.Option(
            "--object", min=1, max=MAX_ROW_ID, metavar="ID", help="List those of one object."
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=0, help="List at most this many; 0 for all.")
    ] = DEFAULT_LIMIT,
    as_json: Json = False,
) -> None:
    """Show whether the client was told of its objects, or list callbacks, newest first.

    Without an option exits with 1 if callbacks are undelivered or the receiver is paused.
    """
    if sum((undelivered, pending, row_id is not None)) > 1:
        raise typer.BadParameter("give just one of --undelivered, --pending, --object")
    from shared.ledger.callbacks import Callbacks, CallbackState

    with closing(_database()) as database:
        if row_id is not None:
            _require_objects(database, [row_id])
            found = reversed(Callbacks(database).of(row_id))
            _print_list(found, limit, as_json=as_json)
        elif undelivered or pending:
            state = CallbackState.PENDING if pending else CallbackState.UNDELIVERED
            _print_list(_listed(Callbacks(database), state), limit, as_json=as_json)
        else:
            _summarize(database, as_json=as_json)


@app.command(epilog="Examples: ./sync replay --all; ./sync replay --since 2d --delivered --dry-run")
def replay(
    ids: Annotated[
        list[int] | None,
        typer.Argument(
            min=1, max=MAX_ROW_ID, metavar="ID", help="Ids of callbacks.", show_default=False
        ),
    ] = None,
    *,
    row_ids: Annotated[
        list[int] | None,
        typer.Option(
            "--object",
            min=1,
            max=MAX_ROW_ID,
            metavar="ID",
            help="Those of this object; may be repeated.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        Any,
        typer.Option(
            parser=_since,
            metavar="TIME",
            help="Recorded at that time or later: a time, or how long ago, such as 36h.",
            show_default=False,
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that were given up.")] = False,
    delivered: Annotated[
        bool, typer.Option("--delivered", help="Include those that were delivered.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count the callbacks; change nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Send callbacks again that were given up, under the same webhook-id, for another day."""
    if bool(ids or row_ids or since) == everything:
        raise typer.BadParameter("give ids, --object, --since or --all, but not --all with any")
    from shared.ledger.replays import Choice, Replays

    choice = Choice(ids or None, row_ids or None, since, undelivered=not delivered)
    with closing(_database()) as database:
        _require_objects(database, row_ids or [])
        replays = Replays(database)
        with output.waiting("Replaying"):
            number = replays.count(choice) if dry_run else replays.perform(choice)
        missing = sorted(set(ids) - replays.known(ids)) if ids else []
    if as_json:
        output.print_json(
            {"action": "replay", "dry_run": dry_run, "callbacks": number, "unknown_ids": missing}
        )
    else:
        typer.echo(f"{number} callbacks {'would be' if dry_run else 'are'} sent again")
    if missing:
        typer.echo(f"there is no callback {', '.join(map(str, missing))}", err=True)
        raise typer.Exit(exit_codes.PROBLEM)


def line(found: Callback) -> str:
    """Return a callback in one line, without its object."""
    when = {
        "pending": f"next attempt {output.moment(found.next_attempt_at)}",
        "delivered": f"delivered {output.moment(found.delivered_at)}",
    }.get(found.state)
    reason = f": {output.printable(found.reason)}" if found.reason else ""
    attempts = f"{found.attempts} attempt{'' if found.attempts == 1 else 's'}"
    details = ", ".join(filter(None, (found.state.value, attempts, when)))
    return (
        f"{output.moment(found.created_at)}  callback {found.id} {found.event} ({details}){reason}"
    )


def waiting(counts: CallbackCounts) -> str:
    """Return the numbers of callbacks that are not delivered."""
    oldest = counts.oldest_seconds
    age = "" if oldest is None else f" (oldest {output.duration(oldest)})"
    return f"{counts.pending:,} pending{age}, {counts.undelivered:,} undelivered"


def _summarize(database: Database, *, as_json: bool) -> None:
    from shared.ledger.callbacks import PAUSE, Callbacks
    from shared.ledger.pauses import Pauses

    known = Callbacks(database)
    counts, reasons = known.counts(), known.reasons()
    pause = next(iter(Pauses(database).of([PAUSE])), None)
    if as_json:
        output.print_json(
            {
                **asdict(counts),
                "reasons": [asdict(reason) for reason in reasons],
                "pause": pause and asdict(pause),
            }
        )
    else:
        age = "" if counts.oldest_seconds is None else output.duration(counts.oldest_seconds)
        typer.echo(f"Pending      {counts.pending:,}" + (f"  (oldest {age})" if age else ""))
        typer.echo(f"Undelivered  {counts.undelivered:,}")
        for reason in reasons:
            typer.echo(f"  {reason.callbacks:>8,}  {output.printable(reason.reason)}")
        if pause is None:
            typer.echo("Receiver     not paused")
        else:
            since, fault = output.moment(pause.since), output.printable(pause.reason)
            typer.echo(f"Receiver     paused since {since}: {fault}")
        if counts.undelivered:
            typer.echo("to send them again: ./sync replay --all", err=True)
    if counts.undelivered or pause is not None:
        raise typer.Exit(exit_codes.PROBLEM)


def _listed(known: Callbacks, state: CallbackState) -> Iterator[Callback]:
    before_id = None
    while page := known.list(state, PAGE, before_id):
        yield from page
        before_id = page[-1].id


def _print_list(found: Iterator[Callback], limit: int, *, as_json: bool) -> None:
    for shown, callback in enumerate(found):
        if limit and shown == limit:
            if not as_json:
                typer.echo(f"only the newest {limit} are listed; --limit 0 lists all", err=True)
            return
        if as_json:
            output.print_json(asdict(callback))
        else:
            typer.echo(_row(callback) if shown else f"{HEADER}\n{_row(callback)}")


def _row(found: Callback) -> str:
    reason = f"  [{output.printable(found.reason)}]" if found.reason else ""
    return (
        f"{found.id:>9}  {found.event:13}  {found.state:11}  {found.attempts:>8}"
        f"  {output.moment(found.created_at)}  {found.row_id}, {output.printable(found.file_name)}"
        f"{reason}"
    )


def _require_objects(database: Database, row_ids: list[int]) -> None:
    """Require that objects exist.

    Raises:
        Exit: one does not.
    """
    from shared.ledger.objects import Objects

    missing = sorted(set(row_ids) - set(Objects(database).known(row_ids))) if row_ids else []
    if missing:
        typer.echo(unknown(missing), err=True)
        raise typer.Exit(exit_codes.PROBLEM)


def _database() -> Database:
    from shared.config.settings import needed
    from shared.ledger import ledger, objects
    from shared.ledger.database import Database

    url = needed(ledger_settings().database_url, "DATABASE_URL")
    queries = (*ledger.QUERIES, objects.QUERIES)
    return Database(url, *queries, statement_seconds=STATEMENT_SECONDS)
