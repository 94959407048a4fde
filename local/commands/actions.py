"""Commands that change objects: `./sync retry`, `fetch-again`, `dismiss`, `restore`."""

from __future__ import annotations

import getpass
import os
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from local.commands import exit_codes, output
from local.commands.filters import filtered, is_given
from local.commands.installation import ledger_settings
from local.commands.output import Json
from shared.ledger.selection import Selection

if TYPE_CHECKING:
    from shared.config.settings import Settings

app = typer.Typer()

All = Annotated[bool, typer.Option("--all", help="Every object that the command applies to.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count the objects; change nothing.")]

DONE = {
    "retry": "failed objects {} queued again",
    "retry_now": "failed or waiting objects {} queued again",
    "fetch_again": "synced objects {} queued to be fetched again",
    "dismiss": "failed objects {} dismissed",
    "restore": "dismissed objects {} restored",
    "verify": "synced objects {} queued for verification",
}
"""What an action reports after the number of objects, by the action's name."""


@app.command(epilog="Examples: ./sync retry --all; ./sync retry --reason AccessDenied --dry-run")
@filtered
def retry(
    selection: Selection,
    *,
    now: Annotated[
        bool, typer.Option("--now", help="Also attempt waiting objects now instead of later.")
    ] = False,
    everything: All = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Put failed objects back in the queue; their attempts are counted from zero again."""
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
    undo: Annotated[bool, typer.Option("--undo", help="Same as `restore`.")] = False,
    everything: All = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Dismiss failures that need no action: they count neither as queued nor as failed."""
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
    """Perform an action on the selected objects, and print how many it changed.

    Args:
        name: of the action, as in `shared.ledger.actions`.
        selection: the filter.
        everything: whether `--all` was given.
        dry_run: change nothing, only count.
        as_json: print a JSON document.

    Raises:
        BadParameter: neither or both of a filter and `everything` are given.
        Exit: an id is unknown.
    """
    require_choice(selection, everything=everything)
    acted = act(ledger_settings(), name, selection, dry_run=dry_run)
    if as_json:
        output.print_json(acted.document())
    else:
        typer.echo(acted.line())
    if acted.unknown_ids:
        typer.echo(unknown(acted.unknown_ids), err=True)
        raise typer.Exit(exit_codes.PROBLEM)


@dataclass(frozen=True, slots=True)
class Acted:
    """The outcome of an action.

    Attributes:
        name: of the action.
        selection: the filter.
        dry_run: whether nothing was changed.
        objects: how many were changed, or would be.
        action_id: its id in the audit log, None after a dry run.
        unknown_ids: ids of the selection that belong to no object.
    """

    name: str
    selection: Selection
    dry_run: bool
    objects: int
    action_id: int | None
    unknown_ids: list[int]

    def document(self) -> dict[str, Any]:
        """Return the outcome as JSON."""
        return {
            "action": self.name,
            "dry_run": self.dry_run,
            "objects": self.objects,
            "id": self.action_id,
            "selection": self.selection.document(),
            "unknown_ids": self.unknown_ids,
        }

    def line(self) -> str:
        """Return the outcome as a sentence."""
        return f"{self.objects} {DONE[self.name].format('would be' if self.dry_run else 'are')}"


def require_choice(selection: Selection, *, everything: bool) -> None:
    """Require either a filter or `--all`.

    Raises:
        BadParameter: neither or both were given.
    """
    if is_given(selection) == everything:
        raise typer.BadParameter("give ids, a filter or --all, but not --all with either")


def act(settings: Settings, name: str, selection: Selection, *, dry_run: bool) -> Acted:
    """Perform an action, and show a progress bar meanwhile.

    It is recorded first: if this process ends early, the scheduler performs the rest. Objects whose
    state the action does not apply to are skipped.

    Args:
        settings: with the ledger's URL.
        name: of the action.
        selection: the filter.
        dry_run: change nothing, only count.
    """
    from shared import adapters
    from shared.ledger.actions import Action
    from shared.ledger.objects import QUERIES, Objects

    action = Action(name)
    with closing(adapters.ledger(settings)) as ledger:
        number = ledger.actions.count(action, selection)
        action_id = None
        if not dry_run:
            with output.progress(action.done, number) as reached:
                performed = ledger.actions.perform(action, selection, actor(), progress=reached)
            number, action_id = performed.objects, performed.id
    missing: list[int] = []
    if selection.ids:
        with closing(Objects(adapters.database(settings, QUERIES))) as objects:
            missing = sorted(set(selection.ids) - set(objects.known(selection.ids)))
    return Acted(name, selection, dry_run, number, action_id, missing)


def unknown(row_ids: list[int]) -> str:
    """Return the error for ids that belong to no object."""
    return f"there is no object {', '.join(map(str, row_ids))}"


def actor() -> str:
    """Return the user who runs the command, for the audit log."""
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (OSError, KeyError):  # an account without a name, as in a container
        name = str(os.getuid())
    return f"command line: {name}"
