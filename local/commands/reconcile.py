"""Is the copy complete? `./sync reconcile` compares the bucket with the ledger and the storage."""

from __future__ import annotations

import getpass
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from local import run_report
from local.discovery import with_servers
from local.environment import LocalEnvironment
from shared.ledger.runs import Kind, Run, Runs, RunState

app = typer.Typer()

PROBLEM, USAGE, INTERRUPTED = 1, 2, 130
"""Exit codes: differences, or it could not be done; typed wrongly; Ctrl-C."""

LOOK_SECONDS = 0.5
"""Between looks at a run that another process works at."""

LABELS = {
    "matching": "are copied, complete and whole",
    "queued": "wait for a worker",
    "failed": "have failed: ./sync retry",
    "dismissed": "have failed, and were dismissed",
    "missed": "were missed: nothing has told of them",
    "missing": "are missing on disk",
    "different": "differ: on disk, or the bucket has another version",
    "refused": "have names that no file can have, folder markers among them",
    "later": "are newer than this run",
    "orphaned": "files on disk are of no object",
    "gone": "were copied and are gone from the bucket",
    "recorded": "were recorded, to be copied",
    "fetched_again": "were queued to be fetched again",
}


def _named(file: Path | None) -> Path | None:
    if file is not None:
        try:
            run_report.writer_for(file)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
    return file


@app.command(
    epilog="Examples: ./sync reconcile --report differences.csv; ./sync reconcile --enqueue"
)
def reconcile(
    prefix: Annotated[str | None, typer.Option(help="Only keys that begin so.")] = None,
    *,
    enqueue: Annotated[
        bool, typer.Option("--enqueue", help="Queue what was missed, differs or is missing.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(help="Write what was found to this .csv or .json file.", callback=_named),
    ] = None,
    show: Annotated[
        bool, typer.Option("--status", help="Only show the newest run, or that of --run.")
    ] = False,
    run_id: Annotated[int | None, typer.Option("--run", min=1, help="Show this run.")] = None,
    cancel: Annotated[bool, typer.Option("--cancel", help="End the run that goes on.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Compare the bucket with the ledger and the storage: is the copy complete?

    A run that was interrupted goes on where it was. Exit code 0: complete and whole, and 1:
    something differs, or the run could not be finished.
    """
    from shared import adapters, log
    from shared.config import secrets
    from shared.config.settings import Settings

    given = with_servers(LocalEnvironment.load(os.environ, Path.cwd())).given
    os.environ.update(given)  # boto3 reads its own variables there
    log.configure("CRITICAL")
    settings = Settings.from_mapping(secrets.resolve(given))
    if settings.source == "nasa":
        raise typer.BadParameter("SOURCE=nasa has no bucket to compare with")
    with closing(adapters.ledger(settings)) as ledger:
        service = import_module("functions.reconcile.wiring").build(settings, ledger)
        if cancel:
            _cancel(ledger.runs)
            return
        if show or run_id is not None:
            run = _shown(ledger.runs, run_id)
        else:
            wanted = {"prefix": prefix or "", "enqueue": enqueue}
            given_any = prefix is not None or enqueue
            run = _perform(service, ledger.runs, wanted if given_any else None)
        document = {**run_report.document(run), "whole": _is_whole(service, run)}
        if report is not None:
            file = Path(os.environ.get("CALLER_DIRECTORY", ""), report)
            run_report.write(file, document, ledger.runs.findings(run.id))
    if as_json:
        typer.echo(json.dumps(document))
    else:
        for line in _lines(document):
            typer.echo(line)
    if not document["whole"]:
        raise typer.Exit(PROBLEM)


def _perform(service: Any, runs: Runs, wanted: dict[str, Any] | None) -> Run:
    """Begin a run, or go on with the one that there is, until it has ended.

    Args:
        service: compares.
        runs: of the ledger.
        wanted: its options; None for whatever goes on, or a new run of everything.

    Raises:
        BadParameter: one with other options goes on.
        Exit: it was interrupted.
    """
    options = wanted or {"prefix": "", "enqueue": False}
    new_id = service.begin(_actor(), options["prefix"], enqueue=options["enqueue"])
    run = runs.newest(1, Kind.RECONCILE)[0] if new_id is None else runs.get(new_id)
    if new_id is None:
        if wanted is not None and run.options != wanted:
            raise typer.BadParameter(
                f"run {run.id} with {_described(run)} goes on: finish it by ./sync reconcile, or"
                " end it by ./sync reconcile --cancel"
            )
        typer.echo(f"Run {run.id} with {_described(run)} goes on", err=True)
    with _until_interrupted() as going, _progress() as progress:
        while run.state is RunState.RUNNING:
            report = service.go_on(going, progress)
            run = runs.get(run.id)
            progress(run)
            if report.waiting:
                return run
            if not going():
                typer.echo(f"Run {run.id} is interrupted; ./sync reconcile goes on", err=True)
                raise typer.Exit(INTERRUPTED)
            if run.state is RunState.RUNNING:  # another process is at it
                time.sleep(LOOK_SECONDS)
    return run


def _cancel(runs: Runs) -> None:
    newest = runs.newest(1, Kind.RECONCILE)
    if not newest or not runs.end(newest[0].id, RunState.CANCELLED):
        typer.echo("No run goes on", err=True)
        raise typer.Exit(PROBLEM)
    typer.echo(f"Run {newest[0].id} is cancelled")


def _shown(runs: Runs, run_id: int | None) -> Run:
    try:
        run = runs.newest(1, Kind.RECONCILE)[0] if run_id is None else runs.get(run_id)
    except LookupError as error:
        typer.echo("There is no such run", err=True)
        raise typer.Exit(PROBLEM) from error
    return run


def _is_whole(service: Any, run: Run) -> bool:
    return run.state is RunState.FINISHED and service.is_whole(run.numbers)


def _lines(document: dict[str, Any]) -> Iterator[str]:
    numbers = document["numbers"]
    waits = document["state"] == "running" and document["error"]
    state = f"waits: {document['error']}" if waits else document["state"]
    yield f"Run {document['id']}, begun {document['begun_at']}: {state}"
    yield f"{numbers.get('listed', 0):>12,} objects are in the bucket"
    for name, label in LABELS.items():
        if numbers.get(name):
            yield f"{numbers[name]:>12,} {label}"
    if document["whole"]:
        yield "The copy is complete and whole"
    elif document["state"] == "finished":
        yield "The copy is not complete; ./sync reconcile --enqueue queues what it lacks"


def _described(run: Run) -> str:
    parts = [f"--prefix {run.options['prefix']!r}"] if run.options["prefix"] else []
    parts += ["--enqueue"] if run.options["enqueue"] else []
    return " ".join(parts) or "no options"


def _actor() -> str:
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (OSError, KeyError):  # an account without a name, as in a container
        name = str(os.getuid())
    return f"command line: {name}"


@contextmanager
def _until_interrupted() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C end the run after its step, and the second one at once."""
    interrupted = False

    def note(*_: object) -> None:
        nonlocal interrupted
        interrupted = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: not interrupted
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _progress() -> Iterator[Callable[[Run], None]]:
    """Show on standard error how far the run is, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("Comparing the bucket") as status:

        def show(run: Run) -> None:
            numbers = run.numbers
            found = sum(numbers.get(name, 0) for name in ("missed", "missing", "different"))
            status.update(
                f"{numbers.get('listed', 0):,} objects, {numbers.get('files', 0):,} files,"
                f" {found:,} differences"
            )

        yield show
