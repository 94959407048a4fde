"""Comparing stored files with the ledger: `./sync verify`."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from local.commands import exit_codes, output
from local.commands.actions import act, actor, unknown
from local.commands.filters import filtered, is_given
from local.commands.installation import environment, ledger_settings
from local.commands.output import Json
from shared.ledger.selection import PROBLEMS, Selection, Verification

if TYPE_CHECKING:
    from local.verification import Found
    from shared.config.settings import Settings
    from shared.ledger.ledger import Ledger
    from shared.ledger.runs import Run
    from shared.ledger.verifications import Part

app = typer.Typer()

POLL_SECONDS = 0.5

SHOWN = 50
"""Problems printed for a person; `./sync list` prints all."""

SHOWN_JSON = 1_000
"""Problems in a document."""

SHOWN_RUNS = 5

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
_BINARY_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}
_PROBLEMS = " ".join(f"--verified {problem.value}" for problem in PROBLEMS)


def bytes_of(text: str) -> int:
    """Return a number of bytes as people write it: ``50MB``, ``50M``, ``1.5 GiB/s``, ``800k``.

    Raises:
        BadParameter: it is none.
    """
    match = re.fullmatch(r"(\d{1,12}(?:\.\d{1,3})?) ?([kmg]?)(i?)b?(?:/s)?", text.strip().lower())
    units = _BINARY_UNITS if match and match[3] else _UNITS
    number = float(match[1]) * units[match[2]] if match else 0
    if number < 1:
        raise typer.BadParameter(f"{text!r}: expected bytes per second such as 500k or 50MB")
    return round(number)


def _part(text: str) -> Part:
    from shared.ledger.verifications import Part

    try:
        return Part.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


@app.command(
    epilog="Examples: ./sync verify --all; ./sync verify --part 5% --rate 50MB;"
    " ./sync verify --synced-since 7d --fetch-again; ./sync verify --status"
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
        typer.Option(parser=bytes_of, metavar="BYTES", help="Read at most so much a second."),
    ] = None,
    fetch_again: Annotated[
        bool, typer.Option("--fetch-again", help="Fetch damaged and missing files again.")
    ] = False,
    later: Annotated[
        bool, typer.Option("--later", help="Only request it; the schedule reads the files.")
    ] = False,
    status: Annotated[bool, typer.Option("--status", help="Show what was found so far.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="End what people asked for.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count the files.")] = False,
    as_json: Json = False,
) -> None:
    """Read stored files again and compare them with the ledger; print what is not as recorded.

    After Ctrl-C the same command goes on where it was, and so does the schedule. Exit code 1 where
    a file is damaged, missing or unreadable.
    """
    chosen = (is_given(selection), everything, part is not None, status, cancel)
    if sum(chosen) != 1:
        raise typer.BadParameter("give just one of a filter, --all, --part, --status, --cancel")
    if (status or cancel) and (rate or fetch_again or later or dry_run):
        raise typer.BadParameter("--status and --cancel take no other option but --json")
    if later and rate and is_given(selection):
        raise typer.BadParameter("--rate is of --all, --part and files that are read at once")
    if dry_run and part is not None:
        raise typer.BadParameter("--dry-run counts the files of a filter or of --all")
    from shared import adapters

    settings = ledger_settings()
    with closing(adapters.ledger(settings)) as ledger:
        if status:
            _status(ledger, as_json=as_json)
        elif cancel:
            _cancel(ledger, as_json=as_json)
        elif dry_run or is_given(selection):
            how = {"rate": rate, "fetch_again": fetch_again, "later": later or dry_run}
            _verify_selected(settings, ledger, selection, how, dry_run=dry_run, as_json=as_json)
        else:
            how = {"bytes_per_second": rate, "fetch_again": fetch_again}
            _verify_part(settings, ledger, part, how, later=later, as_json=as_json)


def _verify_selected(
    settings: Settings,
    ledger: Ledger,
    selection: Selection,
    how: Mapping[str, Any],
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    found, stopped = None, False
    waiting = ledger.verifications.waiting
    with _reading(settings, ledger) as (work, stop):
        asked = act(settings, "verify", selection, dry_run=dry_run)
        if asked.action_id is not None and not how["later"]:
            with _progress(asked.objects, lambda: asked.objects - min(asked.objects, waiting())):
                found = work.requested(
                    asked.action_id, bytes_per_second=how["rate"], fetch_again=how["fetch_again"]
                )
            stopped = stop.is_set() and not found.finished
    if as_json:
        output.print_json({**asked.document(), **_document(found)})
    else:
        typer.echo(asked.line())
        _print(found)
    if asked.unknown_ids:
        typer.echo(unknown(asked.unknown_ids), err=True)
    _end(found, stopped=stopped, problem=bool(asked.unknown_ids))


def _verify_part(
    settings: Settings,
    ledger: Ledger,
    part: Part | None,
    how: Mapping[str, Any],
    *,
    later: bool,
    as_json: bool,
) -> None:
    from local.verification import begin, expected
    from shared.ledger.verifications import Part

    part = part or Part()
    found, stopped = None, False
    with _reading(settings, ledger) as (work, stop):
        run_id = begin(ledger, actor(), part, **how).id
        if not later:
            checked = lambda: ledger.runs.get(run_id).numbers.get("checked", 0)  # noqa: E731
            with _progress(expected(ledger, part), checked):
                found = work.follow(run_id)
            stopped = stop.is_set() and not found.finished
    run = ledger.runs.get(run_id)
    if as_json:
        document = {"run": run.id, "kind": run.kind, "state": run.state, "numbers": run.numbers}
        output.print_json({**document, **_document(found)})
    else:
        typer.echo(f"run {run_id}: {run.state}")
        _print(found)
    _end(found, stopped=stopped)


@contextmanager
def _reading(settings: Settings, ledger: Ledger) -> Iterator[tuple[Any, Any]]:
    """Yield what reads files, and the flag that Ctrl-C sets meanwhile."""
    from local.shutdown import first_interrupt
    from local.verification import Verifying
    from shared import adapters
    from shared.ledger.objects import QUERIES, Objects

    with (
        closing(Objects(adapters.database(settings, QUERIES))) as objects,
        first_interrupt() as stop,
    ):
        yield Verifying(ledger, objects, actor(), environment().storage, stop), stop


def _document(found: Found | None) -> dict[str, Any]:
    if found is None:
        return dict.fromkeys(("finished", "results", "problems", "fetched_again", "findings"))
    return {
        "finished": found.finished,
        "results": found.results,
        "problems": found.problems,
        "fetched_again": found.fetched_again,
        "findings": [
            {"id": row_id, "file_name": name, "finding": finding}
            for row_id, name, finding in islice(found.findings, SHOWN_JSON)
        ],
    }


def _print(found: Found | None) -> None:
    if found is None:
        return
    for row_id, name, finding in islice(found.findings, SHOWN):
        typer.echo(f"  {finding:10}  {output.printable(name)}  (object {row_id})")
    if found.problems > SHOWN:
        typer.echo(f"  the first {SHOWN}; all: ./sync list {_PROBLEMS} --limit 0")
    for result, number in found.results.items():
        typer.echo(f"  {number:>9,}  {result}")
    if found.fetched_again:
        typer.echo(f"{found.fetched_again:,} are queued to be fetched again")
    elif found.problems:
        typer.echo(f"to fetch them again: ./sync fetch-again {_PROBLEMS}", err=True)


def _end(found: Found | None, *, stopped: bool, problem: bool = False) -> None:
    """End the command with its exit code."""
    if stopped:
        typer.echo("stopped; the same command, or the schedule, goes on with it", err=True)
        raise typer.Exit(exit_codes.INTERRUPTED)
    if problem or (found is not None and found.problems):
        raise typer.Exit(exit_codes.PROBLEM)


def _status(ledger: Ledger, *, as_json: bool) -> None:
    from shared.ledger.runs import Kind

    counts = ledger.verifications.counts()
    results = {result.value: counts.get(result, 0) for result in Verification}
    stored, waiting = ledger.counts().synced, ledger.verifications.waiting()
    runs = ledger.runs.newest(SHOWN_RUNS, Kind.SCRUB)
    if as_json:
        document = {"stored": stored, "results": results, "requested": waiting}
        output.print_json({**document, "runs": [_run_document(run) for run in runs]})
    else:
        typer.echo(f"Stored      {stored:,}")
        typer.echo(f"Verified    {sum(results.values()):,}: {_numbers(results)}")
        typer.echo(f"Requested   {waiting:,} wait to be verified")
        for run in runs:
            typer.echo(_run_line(run))
    if ledger.verifications.problems():
        raise typer.Exit(exit_codes.PROBLEM)


def _run_document(run: Run) -> dict[str, Any]:
    names = ("id", "actor", "state", "begun_at", "finished_at", "options", "numbers", "error")
    return {name: getattr(run, name) for name in names}


def _run_line(run: Run) -> str:
    from local.verification import results_of

    numbers = run.numbers
    return (
        f"Run {run.id:<7} {run.state}, {numbers.get('checked', 0):,} files"
        f" ({output.size(numbers.get('bytes', 0))}): {_numbers(results_of(run))};"
        f" begun {output.moment(run.begun_at)} by {output.printable(run.actor)}"
    )


def _numbers(results: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in results.items() if number) or "-"


def _cancel(ledger: Ledger, *, as_json: bool) -> None:
    from local.verification import cancel

    ended, withdrawn = cancel(ledger)
    if as_json:
        output.print_json({"cancelled": ended, "withdrawn": withdrawn})
        return
    for run_id in ended:
        typer.echo(f"run {run_id} is cancelled")
    typer.echo(f"{withdrawn:,} files are no longer to be verified")


@contextmanager
def _progress(total: int, so_far: Callable[[], int]) -> Iterator[None]:
    """Show a bar that is moved by asking now and then."""
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
