"""Stored files, read again and compared with the ledger: `./sync verify`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from local.commands import exit_codes, output
from local.commands.actions import DryRun, actor, perform, refuse_unknown, unknown_ids
from local.commands.filters import filtered, is_given
from local.commands.installation import environment, ledger_settings
from local.commands.output import Json
from shared.ledger.selection import PROBLEMS, Selection, Verification

if TYPE_CHECKING:
    from local.verification import Outcome, Work
    from shared.config.settings import Settings
    from shared.ledger.ledger import Ledger
    from shared.ledger.runs import Run
    from shared.ledger.verifications import Part

app = typer.Typer()

SHOWN = 50
"""Problems printed for a person; `./sync list` prints all."""

SHOWN_JSON = 1_000
"""Problems in a document."""

SHOWN_RUNS = 5

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def bytes_of(text: str) -> int:
    """Return a number of bytes, as people write it.

    ============  ==========
    text          bytes
    ============  ==========
    ``50MB``      50,000,000
    ``1.5 GiB/s``  1.5 * 2**30
    ``800k``      800,000
    ============  ==========

    Raises:
        BadParameter: it is none.
    """
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?) ?([kmgt]?)(i?)b?(?:/s)?", text.strip().lower())
    number = float(match[1]) * (_BINARY if match[3] else _UNITS)[match[2]] if match else 0
    if number < 1:
        raise typer.BadParameter(f"{text!r}: expected bytes a second, such as 50MB")
    return round(number)


def _part(text: str) -> Any:
    from functions.scrub.part import parse_part

    try:
        return parse_part(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@app.command(
    epilog="Examples: ./sync verify --all; ./sync verify --part 5% --rate 50MB;"
    " ./sync verify --name 'photos/*' --fetch-again; ./sync verify --status"
)
@filtered
def verify(
    selection: Selection,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Every stored file.")] = False,
    part: Annotated[
        Any,
        typer.Option(
            parser=_part,
            metavar="PART",
            help="A random share of all, such as 5%, or one of equal groups, such as 2/7.",
            show_default=False,
        ),
    ] = None,
    rate: Annotated[
        Any,
        typer.Option(
            parser=bytes_of,
            metavar="BYTES",
            help="Read at most so much a second, such as 50MB.",
            show_default=False,
        ),
    ] = None,
    fetch_again: Annotated[
        bool, typer.Option("--fetch-again", help="Fetch again what is not as recorded.")
    ] = False,
    status: Annotated[bool, typer.Option("--status", help="Show what was found so far.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="End what is under way.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Read stored files again and compare them with the ledger; print what is not as recorded.

    What is asked for is recorded first: after Ctrl-C, the same command goes on where it was, and so
    does the scheduler. Exit code 1 where a file is damaged, missing or unreadable.
    """
    given = (is_given(selection), everything, part is not None, status, cancel)
    if sum(given) != 1:
        raise typer.BadParameter("give just one of a filter, --all, --part, --status and --cancel")
    if (status or cancel) and (rate or fetch_again or dry_run):
        raise typer.BadParameter("--status and --cancel take no other option but --json")
    if dry_run:
        if part is not None:
            raise typer.BadParameter("--dry-run counts the files of a filter or of --all")
        perform("verify", selection, everything=everything, dry_run=True, as_json=as_json)
        return
    from shared import adapters

    settings = ledger_settings()
    if not settings.storage_path:  # as a local run has it
        settings = replace(settings, storage_path=str(environment().storage))
    with closing(adapters.ledger(settings)) as ledger:
        if status:
            _show(ledger, as_json=as_json)
        elif cancel:
            _cancel(ledger, as_json=as_json)
        else:
            options = {"bytes_per_second": rate, "fetch_again": fetch_again}
            _verify(ledger, settings, selection, part, options, as_json=as_json)


def _verify(
    ledger: Ledger,
    settings: Settings,
    selection: Selection,
    part: Part | None,
    options: dict[str, Any],
    *,
    as_json: bool,
) -> None:
    from functions.scrub import wiring
    from local.shutdown import first_interrupt
    from local.verification import Work
    from shared.ledger.verifications import Part

    with first_interrupt() as stop:
        work = Work(ledger, wiring.build(settings, ledger), actor(), stop)
        unknown = unknown_ids(settings, selection)
        if is_given(selection):
            asked = work.ask(selection)
            named = {"run": None, "action": asked.id}
            with output.progress("verified", asked.objects) as advance:
                outcome = work.answer(asked, advance, **options)
        else:
            outcome, named = _run(work, part or Part(), options)
        _print(outcome, {**named, "unknown_ids": unknown}, as_json=as_json)
        refuse_unknown(unknown)
        if stop.is_set() and not outcome.finished:
            typer.echo("stopped; the same command, or the scheduler, goes on with it", err=True)
            raise typer.Exit(exit_codes.INTERRUPTED)
    raise typer.Exit(exit_codes.PROBLEM if outcome.number else exit_codes.OK)


def _run(work: Work, part: Part, options: dict[str, Any]) -> tuple[Outcome, dict[str, Any]]:
    run = work.begin(part, **options)
    with output.progress("verified", work.expected(part)) as advance:
        outcome = work.follow(run, advance)
    return outcome, {"run": run.id, "action": None}


def _print(outcome: Outcome, named: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        output.print_json(
            {
                **named,
                "finished": outcome.finished,
                "results": outcome.results,
                "problems": outcome.number,
                "fetched_again": outcome.fetched_again,
                "findings": [
                    {"id": found.row_id, "file_name": found.file_name, "finding": found.finding}
                    for found in islice(outcome.problems, SHOWN_JSON)
                ],
            }
        )
        return
    for found in islice(outcome.problems, SHOWN):
        name = output.printable(found.file_name)
        typer.echo(f"{found.finding:10}  {name}  (object {found.row_id})")
    if outcome.number > SHOWN:
        typer.echo(f"the first {SHOWN}; all: ./sync list {_PROBLEMS} --limit 0", err=True)
    typer.echo(f"{sum(outcome.results.values()):,} files verified: {_numbers(outcome.results)}")
    if outcome.fetched_again:
        typer.echo(f"{outcome.fetched_again:,} are queued to be fetched again")
    elif outcome.number:
        typer.echo(f"to fetch them again: ./sync fetch-again {_PROBLEMS}", err=True)


def _show(ledger: Ledger, *, as_json: bool) -> None:
    from shared.ledger.runs import Kind

    counts = ledger.verifications.counts()
    results = {result.value: number for result, number in counts.items()}
    stored, waiting = ledger.counts().synced, ledger.verifications.waiting()
    runs = ledger.runs.newest(SHOWN_RUNS, Kind.SCRUB)
    if as_json:
        document = {"stored": stored, "results": results, "requested": waiting}
        output.print_json({**document, "runs": [_document(run) for run in runs]})
    else:
        output.print_lines(
            [
                f"Stored      {stored:,}",
                f"Verified    {sum(results.values()):,}: {_numbers(results)}",
                f"Requested   {waiting:,} wait to be verified",
                *map(_row, runs),
            ]
        )
    problems = any(counts.get(problem) for problem in PROBLEMS)
    raise typer.Exit(exit_codes.PROBLEM if problems else exit_codes.OK)


def _document(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "actor": run.actor,
        "state": run.state.value,
        "begun_at": run.begun_at,
        "finished_at": run.finished_at,
        "options": run.options,
        "numbers": run.numbers,
        "error": run.error,
    }


def _row(run: Run) -> str:
    numbers = {n: v for n, v in run.numbers.items() if n not in {"checked", "bytes"}}
    checked = run.numbers.get("checked", 0)
    return (
        f"Run {run.id:<7} {run.state}, {checked:,} files"
        f" ({output.size(run.numbers.get('bytes', 0))}): {_numbers(numbers)};"
        f" begun {output.moment(run.begun_at)} by {output.printable(run.actor)}"
        + (f"; {output.printable(run.error)}" if run.error else "")
    )


def _cancel(ledger: Ledger, *, as_json: bool) -> None:
    from shared.ledger.runs import Kind, RunState

    running = [run for run in ledger.runs.newest(1, Kind.SCRUB) if run.state is RunState.RUNNING]
    ended = [run.id for run in running if ledger.runs.end(run.id, RunState.CANCELLED)]
    withdrawn = ledger.verifications.withdraw()
    if as_json:
        output.print_json({"cancelled": ended, "withdrawn": withdrawn})
    else:
        for run_id in ended:
            typer.echo(f"run {run_id} is cancelled")
        typer.echo(f"{withdrawn:,} files are no longer to be verified")


def _numbers(results: Mapping[str, int]) -> str:
    order = [*(result.value for result in Verification), *results]
    numbers = {name: results[name] for name in order if results.get(name)}
    return ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in numbers.items()) or "-"


_PROBLEMS = " ".join(f"--verified {problem.value}" for problem in PROBLEMS)
"""The filter of what is not as recorded, as it is typed."""
