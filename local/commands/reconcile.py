"""Is the copy complete? `./sync reconcile` compares the bucket with the ledger and the storage."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from local.commands import exit_codes, output
from local.commands.actions import actor
from local.commands.installation import from_caller, ledger_settings
from local.commands.output import Json

if TYPE_CHECKING:
    from local.shutdown import StopFlag
    from shared.ledger.ledger import Ledger
    from shared.ledger.runs import Run

app = typer.Typer()

FUNCTION = "functions.reconcile.handler.handler"
LONG_SECONDS = 366 * 86_400.0
"""No limit in practice: Ctrl-C ends the command, and the schedule does the rest."""

LOOK_SECONDS = 0.5
"""Seconds between polls of a run, which another process may hold."""

LABELS = {
    "matching": "are copied and match",
    "queued": "wait for a worker",
    "failed": "have failed: ./sync list --state failed",
    "dismissed": "have failed and were dismissed",
    "missed": "were missed: no request or event named them",
    "missing": "are missing on disk",
    "different": "differ: on disk, or the bucket has another version",
    "refused": "have keys that cannot be file names (folder markers included)",
    "later": "are newer than this run",
    "orphaned": "files on disk belong to no object",
    "gone": "were copied and are no longer in the bucket",
    "recorded": "were recorded to be copied",
    "fetched_again": "were queued to be fetched again",
}
"""What a run's numbers mean, in the order in which they are shown."""


def _named(file: Path | None) -> Path | None:
    from local.run_report import writer_for

    if file is not None:
        try:
            writer_for(file)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
    return file


@app.command(
    epilog="Examples: ./sync reconcile --report differences.csv; ./sync reconcile --enqueue"
)
def reconcile(
    *,
    prefix: Annotated[str | None, typer.Option(help="Compare only keys with this prefix.")] = None,
    enqueue: Annotated[
        bool, typer.Option("--enqueue", help="Queue missed, missing and different objects.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(help="Write the findings to this .csv or .json file.", callback=_named),
    ] = None,
    show: Annotated[
        bool, typer.Option("--status", help="Only show the newest run, or the one of --run.")
    ] = False,
    run_id: Annotated[int | None, typer.Option("--run", min=1, help="Show this run.")] = None,
    cancel: Annotated[bool, typer.Option("--cancel", help="Cancel the running run.")] = False,
    as_json: Json = False,
) -> None:
    """Compare the bucket with the ledger and the storage: is the copy complete?

    A run that was interrupted continues where it stopped. Exits with 1 if something differs, or the
    run could not be finished.
    """
    from local.run_report import document, write
    from shared import adapters

    settings = ledger_settings()
    if settings.source == "nasa":
        raise typer.BadParameter("SOURCE=nasa has no bucket to compare with")
    with closing(adapters.ledger(settings)) as ledger:
        if cancel:
            _cancel(ledger)
            return
        if show or run_id is not None:
            run = _find(ledger, run_id)
        else:
            run = _perform(ledger, prefix, enqueue=enqueue)
        shown = {**document(run), "whole": _is_whole(run)}
        if report is not None:
            write(from_caller(report), shown, ledger.runs.findings(run.id))
    if as_json:
        output.print_json(shown)
    else:
        output.print_lines(_lines(shown))
    if not shown["whole"]:
        raise typer.Exit(exit_codes.PROBLEM)


def _perform(ledger: Ledger, prefix: str | None, *, enqueue: bool) -> Run:
    """Begin a run, or continue the running one, until it has ended or has to wait.

    Args:
        ledger: where runs are.
        prefix: None to keep the running run's, or to compare everything.
        enqueue: whether to queue what is wrong.

    Raises:
        BadParameter: a run with other options is running.
        Exit: it was interrupted.
    """
    from local.shutdown import first_interrupt
    from shared.ledger.reconciling import run_options
    from shared.ledger.runs import Kind, RunState

    options = run_options(prefix or "", enqueue=enqueue)
    new_id = ledger.runs.begin(Kind.RECONCILE, actor(), options)
    run = _find(ledger, new_id)
    if new_id is None:
        if (prefix is not None or enqueue) and run.options != options:
            raise typer.BadParameter(
                f"run {run.id} {_described(run)} is running: ./sync reconcile finishes it, and"
                " ./sync reconcile --cancel cancels it"
            )
        typer.echo(f"continuing run {run.id} {_described(run)}", err=True)
    with first_interrupt() as stop, _progress(lambda: ledger.runs.get(run.id)):
        while run.state is RunState.RUNNING:
            waiting = _call(stop)
            run = ledger.runs.get(run.id)
            if waiting:
                break
            if stop.is_set():
                typer.echo(f"run {run.id} was interrupted; ./sync reconcile continues it", err=True)
                raise typer.Exit(exit_codes.INTERRUPTED)
            if run.state is RunState.RUNNING:  # another process holds it
                stop.wait(LOOK_SECONDS)
    return run


def _call(stop: StopFlag) -> str:
    """Call the function in this process, without its log; return what the run waits for."""
    from local.context import EndingContext
    from local.handlers import imported, prepare
    from shared import log

    prepare(FUNCTION)
    log.configure("CRITICAL")
    result: Any = imported(FUNCTION)({}, EndingContext(LONG_SECONDS, stop.is_set))
    return str(result["waiting"])


def _cancel(ledger: Ledger) -> None:
    from shared.ledger.runs import Kind, RunState

    newest = ledger.runs.newest(1, Kind.RECONCILE)
    if not newest or not ledger.runs.end(newest[0].id, RunState.CANCELLED):
        typer.echo("no run is running", err=True)
        raise typer.Exit(exit_codes.PROBLEM)
    typer.echo(f"run {newest[0].id} is cancelled")


def _find(ledger: Ledger, run_id: int | None) -> Run:
    """Return a run; by default the newest."""
    from shared.ledger.runs import Kind

    try:
        run = (
            ledger.runs.newest(1, Kind.RECONCILE)[0] if run_id is None else ledger.runs.get(run_id)
        )
    except LookupError as error:
        typer.echo("there is no such run", err=True)
        raise typer.Exit(exit_codes.PROBLEM) from error
    if run.kind is not Kind.RECONCILE:
        typer.echo(f"run {run.id} is not a reconcile run", err=True)
        raise typer.Exit(exit_codes.PROBLEM)
    return run


def _is_whole(run: Run) -> bool:
    from shared.ledger.reconciling import is_whole
    from shared.ledger.runs import RunState

    return run.state is RunState.FINISHED and is_whole(run.numbers)


def _lines(run: Mapping[str, Any]) -> Iterator[str]:
    numbers = run["numbers"]
    waits = run["state"] == "running" and run["error"]
    state = f"waits: {output.printable(run['error'])}" if waits else run["state"]
    yield f"run {run['id']}, begun {output.moment(run['begun_at'])}: {state}"
    yield f"  {numbers.get('listed', 0):>9,}  objects are in the bucket"
    for name, label in LABELS.items():
        if numbers.get(name):
            yield f"  {numbers[name]:>9,}  {label}"
    if run["whole"]:
        yield "the copy is complete and correct"
    elif run["state"] == "finished":
        yield "the copy is incomplete or differs; --report lists the differences"


def _described(run: Run) -> str:
    parts = [f"--prefix {run.options['prefix']!r}"] if run.options["prefix"] else []
    parts += ["--enqueue"] if run.options["enqueue"] else []
    return f"with {' '.join(parts)}" if parts else "without options"


@contextmanager
def _progress(look: Callable[[], Run]) -> Iterator[None]:
    """Show the run's progress on standard error, if that is a terminal."""
    from shared.errors import ServiceError

    if not output.shows_progress():
        yield
        return
    from rich.console import Console

    over = threading.Event()
    with Console(stderr=True).status("comparing") as status:

        def poll() -> None:
            while not over.wait(LOOK_SECONDS):
                try:
                    numbers = look().numbers
                except ServiceError:
                    return  # the work itself will report it
                found = sum(numbers.get(name, 0) for name in ("missed", "missing", "different"))
                status.update(
                    f"{numbers.get('listed', 0):,} objects and {numbers.get('files', 0):,} files"
                    f" compared, {found:,} differ"
                )

        thread = threading.Thread(target=poll, name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
