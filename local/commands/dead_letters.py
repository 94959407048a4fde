"""Messages that could not be processed: `./sync dead-letters show`, `replay`, `drop`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from local.commands import exit_codes, output
from local.commands.installation import environment, settings_of
from local.commands.output import Json

if TYPE_CHECKING:
    from shared.queue.rabbitmq.dead_letters import DeadLetter, Fate

app = typer.Typer(
    help="Messages that could not be processed: they name no object, or were delivered too often."
    " No object is lost with them.",
    no_args_is_help=True,
)

DEFAULT_LIMIT = 50
SHOWN_BYTES = 120

Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID", help="Ids of dead letters.", show_default=False),
]
Reason = Annotated[
    str | None, typer.Option(help="Those whose reason contains this text.", show_default=False)
]
All = Annotated[bool, typer.Option("--all", help="All dead letters.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only show the dead letters; change nothing.")
]


@app.command(epilog="Example: ./sync dead-letters show --json | jq .reason")
def show(
    *,
    limit: Annotated[
        int, typer.Option(min=0, help="Show at most this many; 0 for all.")
    ] = DEFAULT_LIMIT,
    as_json: Json = False,
) -> None:
    """Show dead letters, oldest first; with --json, one document per line."""
    url = _broker()
    if url is None:
        return
    from shared.queue.rabbitmq.dead_letters import Fate, count, go_through

    total = count(url)
    for letter, _ in go_through(url, lambda _: Fate.KEEP, limit or total):
        _print(letter, as_json=as_json)
    if not as_json:
        typer.echo(f"{total} dead letters", err=bool(total))


@app.command(epilog="Example: ./sync dead-letters replay --all")
def replay(
    ids: Ids = None,
    *,
    reason: Reason = None,
    everything: All = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Put dead letters back in the queue; one that still names no object returns here."""
    _settle(ids, reason, everything=everything, dry_run=dry_run, as_json=as_json, fate="replay")


@app.command(epilog="Example: ./sync dead-letters drop --reason 'not JSON'")
def drop(
    ids: Ids = None,
    *,
    reason: Reason = None,
    everything: All = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Remove dead letters for good."""
    _settle(ids, reason, everything=everything, dry_run=dry_run, as_json=as_json, fate="drop")


def _settle(
    ids: list[str] | None,
    reason: str | None,
    *,
    everything: bool,
    dry_run: bool,
    as_json: bool,
    fate: str,
) -> None:
    if (bool(ids) or bool(reason)) == everything:
        raise typer.BadParameter("give ids, --reason or --all, but not --all with either")
    url = _broker()
    if url is None:
        return
    from shared.queue.rabbitmq.dead_letters import Fate, count, go_through

    wanted = _wanted(ids, reason, Fate(fate), Fate.KEEP)
    total, number, found = count(url), 0, set()
    with output.progress(f"{fate} dead letters", total) as reached:
        fates = (lambda _: Fate.KEEP) if dry_run else wanted
        for so_far, (letter, _) in enumerate(go_through(url, fates, total), start=1):
            reached(so_far)
            found.add(letter.id)
            if wanted(letter) is not Fate.KEEP:
                number += 1
                if dry_run:
                    _print(letter, as_json=as_json)
    missing = sorted(set(ids or ()) - found)
    if as_json:
        document = {"action": fate, "dry_run": dry_run, "messages": number, "unknown_ids": missing}
        output.print_json(document)
    else:
        done = {"replay": "put back in the queue", "drop": "removed"}[fate]
        typer.echo(f"{number} dead letters {'would be' if dry_run else 'are'} {done}")
    if missing:
        typer.echo(f"there is no dead letter {', '.join(missing)}", err=True)
        raise typer.Exit(exit_codes.PROBLEM)


def _wanted(
    ids: list[str] | None, reason: str | None, chosen: Fate, other: Fate
) -> Callable[[DeadLetter], Fate]:
    def decide(letter: DeadLetter) -> Fate:
        if ids and letter.id not in ids:
            return other
        if reason and reason.lower() not in letter.reason.lower():
            return other
        return chosen

    return decide


def _broker() -> str | None:
    url = settings_of(environment()).rabbitmq_url
    if url is None:
        typer.echo("no broker is used, so there are no dead letters", err=True)
    return url


def _print(letter: DeadLetter, *, as_json: bool) -> None:
    if as_json:
        document: dict[str, Any] = {
            "id": letter.id,
            "reason": letter.reason,
            "at": letter.at,
            "row_id": letter.row_id,
            "body": letter.body.decode(errors="replace"),
            "headers": {name: output.plain(value) for name, value in letter.headers.items()},
        }
        output.print_json(document)
        return
    body = letter.body[:SHOWN_BYTES].decode(errors="replace")
    more = f" … ({len(letter.body)} bytes)" if len(letter.body) > SHOWN_BYTES else ""
    typer.echo(
        f"{output.moment(letter.at):19}  {output.printable(letter.id):36}"
        f"  {output.printable(letter.reason)}: {output.printable(body)}{more}"
    )
