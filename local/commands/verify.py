"""Comparing stored files with the ledger: `./sync verify`."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from local.commands import exit_codes, output
from local.commands.actions import act, actor, require_choice, unknown
from local.commands.filters import filtered, is_given
from local.commands.installation import ledger_settings
from local.commands.output import Json
from shared.ledger.selection import PROBLEMS, Selection

if TYPE_CHECKING:
    from shared.config.settings import Settings
    from shared.ledger.ledger import Ledger
    from shared.ledger.verifications import Part

app = typer.Typer()

FUNCTION = "functions.scrub.handler.handler"
LONG_SECONDS = 366 * 86_400.0
"""No limit in practice: Ctrl-C ends the command, and the schedule does the rest."""

POLL_SECONDS = 0.5

_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def _part(text: str) -> Part:
    from shared.ledger.verifications import Part

    try:
        return Part.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _rate(text: str) -> int:
    match = re.fullmatch(r"(\d{1,12})([kmg]?)(?:i?b)?", text.strip().lower())
    if not match or not int(match[1]):
        raise typer.BadParameter(f"{text!r}: expected bytes per second such as 500k or 50M")
    return int(match[1]) * _UNITS[match[2]]


@app.command(
    epilog="Examples: ./sync verify --synced-since 7d; ./sync verify --part 5% --rate 50M;"
    " ./sync verify --all --fetch-again"
)
@filtered
def verify(
    selection: Selection,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Every stored file.")] = False,
    part: Annotated[
        Any,
        typer.Option(
            parser=_part, metavar="PART", help="Only a part of all files: a random 5%, or 2/7."
        ),
    ] = None,
    rate: Annotated[
        Any,
        typer.Option(
            parser=_rate, metavar="BYTES", help="With --part: bytes to read per second at most."
        ),
    ] = None,
    fetch_again: Annotated[
        bool, typer.Option("--fetch-again", help="Fetch damaged and missing files again.")
    ] = False,
    later: Annotated[
        bool, typer.Option("--later", help="Only request it; the schedule reads the files.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count the files.")] = False,
    as_json: Json = False,
) -> None:
    """Read stored files again and compare them with the ledger.

    Exits with 1 if a file is damaged, missing or unreadable.
    """
    if part is not None:
        if is_given(selection) or everything or dry_run:
            raise typer.BadParameter(
                "--part applies to all files: give no filter, --all or --dry-run"
            )
        _verify_part(part, rate, fetch_again=fetch_again, later=later, as_json=as_json)
        return
    if rate is not None:
        raise typer.BadParameter("--rate needs --part, such as --part 100%")
    require_choice(selection, everything=everything)
    settings = ledger_settings()
    asked = act(settings, "verify", selection, dry_run=dry_run)
    results: dict[str, int] | None = None
    fetched = 0
    if asked.action_id is not None and not later:
        results = _read(settings, asked.action_id, asked.objects)
        if fetch_again:
            damaged = replace(selection, verified=PROBLEMS)
            fetched = act(settings, "fetch_again", damaged, dry_run=False).objects
    if as_json:
        output.print_json({**asked.document(), "results": results, "fetched_again": fetched})
    else:
        typer.echo(asked.line())
        _print(results, fetched)
    if asked.unknown_ids:
        typer.echo(unknown(asked.unknown_ids), err=True)
    if asked.unknown_ids or _has_problems(results):
        raise typer.Exit(exit_codes.PROBLEM)


def _read(settings: Settings, action_id: int, number: int) -> dict[str, int]:
    """Have the requested files read, and return how many there are of each result."""
    from shared import adapters
    from shared.ledger.objects import QUERIES, Objects

    with (
        closing(adapters.ledger(settings)) as ledger,
        closing(Objects(adapters.database(settings, QUERIES))) as objects,
    ):
        waiting = ledger.verifications.waiting
        with _progress(number, lambda: number - min(number, waiting())):
            _call("requested")
        return objects.verified_by(action_id)


def _verify_part(
    part: Part, rate: int | None, *, fetch_again: bool, later: bool, as_json: bool
) -> None:
    from shared import adapters
    from shared.ledger.runs import Kind, RunState
    from shared.ledger.verifications import run_options

    with closing(adapters.ledger(ledger_settings())) as ledger:
        options = run_options(
            ledger.verifications.last_row(), part, bytes_per_second=rate, fetch_again=fetch_again
        )
        run_id = _begin(ledger, options)
        if not later:
            total = ledger.counts().synced if part.number is None else None
            with _progress(
                total and total * part.millionths // 1_000_000,
                lambda: ledger.runs.get(run_id).numbers.get("checked", 0),
            ):
                while ledger.runs.get(run_id).state is RunState.RUNNING:
                    _call("run")
        run = ledger.runs.get(run_id)
    numbers = dict(run.numbers)
    if as_json:
        output.print_json(
            {"run": run_id, "kind": Kind.SCRUB, "state": run.state, "numbers": numbers}
        )
    else:
        typer.echo(f"run {run_id}: {run.state}")
        _print({name: n for name, n in numbers.items() if name not in {"checked", "bytes"}}, 0)
    if _has_problems(numbers):
        raise typer.Exit(exit_codes.PROBLEM)


def _begin(ledger: Ledger, options: dict[str, Any]) -> int:
    """Record a run, in place of the schedule's if that is running.

    Raises:
        Exit: a run that a person started is still running.
    """
    from shared.ledger.runs import Kind, RunState

    run_id = ledger.runs.begin(Kind.SCRUB, actor(), options)
    if run_id is None:
        newest = ledger.runs.newest(1, Kind.SCRUB)[0]
        if newest.actor == "schedule":
            ledger.runs.end(newest.id, RunState.CANCELLED)
            run_id = ledger.runs.begin(Kind.SCRUB, actor(), options)
        if run_id is None:
            typer.echo(
                f"run {newest.id}, started by {newest.actor}, is still running; wait for it",
                err=True,
            )
            raise typer.Exit(exit_codes.PROBLEM)
    return run_id


def _call(only: str) -> None:
    """Call the function that reads files in this process, without its log."""
    from local.context import Context
    from local.handlers import imported, prepare
    from shared import log

    prepare(FUNCTION)
    log.configure("CRITICAL")
    imported(FUNCTION)({"only": only}, Context(LONG_SECONDS))


@contextmanager
def _progress(total: int | None, so_far: Callable[[], int]) -> Iterator[None]:
    """Show a progress bar, updated by polling."""
    from shared.errors import ServiceError

    over = threading.Event()

    def poll(reached: Callable[[int], None]) -> None:
        while not over.wait(POLL_SECONDS):
            try:
                reached(so_far())
            except ServiceError:
                return  # the work itself will report it

    with output.progress("verified", total) as reached:
        thread = threading.Thread(target=poll, args=(reached,), name="progress", daemon=True)
        if output.shows_progress():
            thread.start()
        try:
            yield
        finally:
            over.set()
            if thread.ident is not None:
                thread.join()


def _print(results: dict[str, int] | None, fetched: int) -> None:
    for result, number in (results or {}).items():
        typer.echo(f"  {number:>9,}  {result}")
    if fetched:
        typer.echo(f"{fetched} objects are queued to be fetched again")


def _has_problems(results: dict[str, int] | None) -> bool:
    return any((results or {}).get(problem.value) for problem in PROBLEMS)
