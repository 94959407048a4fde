"""What a person does about objects: `./sync retry`, `fetch-again`, `dismiss`, `restore`."""

from __future__ import annotations

import getpass
import os
from contextlib import closing
from typing import Annotated

import typer

from local.commands import exit_codes, output
from local.commands.filters import filtered, is_given
from local.commands.installation import ledger_settings
from local.commands.output import Json
from shared.ledger.selection import Selection

app = typer.Typer()

All = Annotated[bool, typer.Option("--all", help="Every one that can be changed.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Change nothing, only count.")]

DONE = {
    "retry": "failed objects {} queued again",
    "retry_now": "failed or waiting objects {} queued again",
    "fetch_again": "synced objects {} queued to be fetched again",
    "dismiss": "failed objects {} dismissed",
    "restore": "dismissed objects {} failed again",
    "verify": "synced objects {} queued for verification",
}
"""What was done with a number of objects, by the action's name."""


@app.command(epilog="Examples: ./sync retry --all; ./sync retry --reason AccessDenied --dry-run")
@filtered
def retry(
    selection: Selection,
    *,
    now: Annotated[
        bool, typer.Option("--now", help="Also what waits for its next attempt.")
    ] = False,
    everything: All = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Put failed objects back in the queue, with all attempts allowed again."""
    action = "retry_now" if now else "retry"
    perform(action, selection, everything=everything, dry_run=dry_run, as_json=as_json)


@app.command(epilog="Example: ./sync fetch-again --verified damaged --verified missing")
@filtered
def fetch_again(
    selection: Selection, *, everything: All = False, dry_run: DryRun = False, as_json: Json = False
) -> None:
    """Fetch synced objects again; each file stays until the new one replaces it."""
    perform("fetch_again", selection, everything=everything, dry_run=dry_run, as_json=as_json)


@app.command(epilog="Example: ./sync dismiss --reason 'does not exist' --failed-before 30d")
@filtered
def dismiss(
    selection: Selection,
    *,
    undo: Annotated[bool, typer.Option("--undo", help="As `restore`.")] = False,
    everything: All = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Let failures be: dismissed objects count neither as queued nor as failed."""
    action = "restore" if undo else "dismiss"
    perform(action, selection, everything=everything, dry_run=dry_run, as_json=as_json)


@app.command(epilog="Example: ./sync restore 7 8")
@filtered
def restore(
    selection: Selection, *, everything: All = False, dry_run: DryRun = False, as_json: Json = False
) -> None:
    """Undo a dismissal: the objects count as failed again, and can be retried."""
    perform("restore", selection, everything=everything, dry_run=dry_run, as_json=as_json)


def perform(
    name: str, selection: Selection, *, everything: bool, dry_run: bool, as_json: bool
) -> None:
    """Perform an action on the objects of a filter, and print how many it changed.

    It is recorded first: if this process ends meanwhile, the scheduler does the rest. Objects in
    another state than the action needs are skipped.

    Args:
        name: of the action, as in `shared.ledger.actions`.
        selection: the filter.
        everything: whether no filter was meant.
        dry_run: change nothing, only count.
        as_json: print a document.

    Raises:
        BadParameter: not just one of a filter and `everything` is given.
        Exit: an id is unknown.
    """
    from shared import adapters
    from shared.ledger.actions import Action
    from shared.ledger.objects import QUERIES, Objects

    if is_given(selection) == everything:
        raise typer.BadParameter("give ids, a filter or --all, and not --all with another")
    settings = ledger_settings()
    action = Action(name)
    with closing(adapters.ledger(settings)) as ledger:
        number = ledger.actions.count(action, selection)
        action_id = None
        if not dry_run:
            with output.progress(action.done, number) as advance:
                before = 0

                def note(so_far: int) -> None:
                    nonlocal before
                    advance(so_far - before)
                    before = so_far

                performed = ledger.actions.perform(action, selection, actor(), progress=note)
            number, action_id = performed.objects, performed.id
    unknown: list[int] = []
    if selection.ids:
        with closing(Objects(adapters.database(settings, QUERIES))) as objects:
            unknown = sorted(set(selection.ids) - set(objects.known(selection.ids)))
    if as_json:
        output.print_json(
            {
                "action": name,
                "dry_run": dry_run,
                "objects": number,
                "id": action_id,
                "selection": selection.document(),
                "unknown_ids": unknown,
            }
        )
    else:
        typer.echo(f"{number} {DONE[name].format('would be' if dry_run else 'are')}")
    if unknown:
        typer.echo(f"there is no object {', '.join(map(str, unknown))}", err=True)
        raise typer.Exit(exit_codes.PROBLEM)


def actor() -> str:
    """Return who types a command, for the audit."""
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (OSError, KeyError):  # an account without a name, as in a container
        name = str(os.getuid())
    return f"command line: {name}"
