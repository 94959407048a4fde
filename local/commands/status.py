"""What runs, how far the work is and what needs attention: `./sync status`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from local.commands import exit_codes, output
from local.commands.callbacks import waiting
from local.commands.installation import environment, settings_of
from local.commands.output import Json

if TYPE_CHECKING:
    from local.status import Overall, Work

app = typer.Typer()

CLEAR = "\x1b[H\x1b[J"
"""Moves a terminal's cursor to its first line and removes what follows (ECMA-48, CUP and ED)."""


@app.command(epilog="Example: ./sync status --watch --every 5")
def status(
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Repeat until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(min=0.5, help="Seconds between updates.")] = 2.0,
    as_json: Json = False,
) -> None:
    """Show what runs, the progress of the work and what needs attention.

    Exits with 1 if something needs attention, such as failed objects.
    """
    from local.places import places
    from local.shutdown import first_interrupt
    from local.status import look

    here = environment()
    found = places(here)
    settings = settings_of(here)
    # Between two updates: in the middle of one, the exception may be lost in a callback.
    with first_interrupt() as stop:
        while not stop.is_set():
            overall = look(here, found, settings)
            if as_json:
                output.print_json(overall.document())
            else:
                output.print_lines(_lines(overall), prefix=CLEAR if watch else "")
            if not watch:
                raise typer.Exit(exit_codes.PROBLEM if overall.problems else exit_codes.OK)
            stop.wait(every)
    raise KeyboardInterrupt


def _lines(overall: Overall) -> Iterator[str]:
    labels = {"ledger": "Ledger", "queue": "Queue", "cache": "Cache", "s3": "S3"}
    for name, place in overall.places.servers.items():
        yield f"{labels[name]:11} {place.address}  ({place.origin})"
    yield f"URL         {overall.places.url}  ({'answers' if overall.answering else 'no answer'})"
    yield f"Files       {overall.places.storage}{_space(overall)}"
    yield f"Key         {overall.places.key}"
    if overall.work is not None:
        yield ""
        yield from _work(overall.work, overall)
    if overall.problems:
        yield ""
        yield "Needs attention"
        for problem in overall.problems:
            yield f"  {output.printable(problem)}"


def _space(overall: Overall) -> str:
    if overall.space is None:
        return ""
    space = overall.space
    files = "" if space.free_inodes is None else f", {space.free_inodes:,} more files"
    return f"  ({output.size(space.free_bytes)} of {output.size(space.total_bytes)} free{files})"


def _work(work: Work, overall: Overall) -> Iterator[str]:
    counts = work.counts
    yield f"Synced      {counts.synced:,}  ({output.size(counts.bytes_stored)})"
    queued = [f"{work.retrying:,} wait for another attempt"] if work.retrying else []
    if work.oldest_seconds is not None:
        queued.append(f"oldest waiting {output.duration(work.oldest_seconds)}")
    yield f"Queued      {counts.queued:,}" + (f"  ({', '.join(queued)})" if queued else "")
    yield f"Failed      {counts.failed:,}"
    for reason in work.failures:
        yield f"  {reason.objects:>7,}  {output.printable(reason.reason)}"
    if work.verified:
        found = ", ".join(f"{number:,} {result}" for result, number in work.verified.items())
        yield f"Verified    {found}"
    if overall.messages is not None:
        yield f"Messages    {overall.messages:,}  ({overall.dead_letters:,} dead letters)"
    if work.callbacks.any:
        yield f"Callbacks   {waiting(work.callbacks)}"
    progress = work.progress
    if progress.seconds:
        span = output.duration(progress.seconds)
        yield (
            f"Rate        {progress.per_second:,.1f} objects/s over {span}"
            f"  ({progress.retries:,} retries, {progress.failed:,} failures)"
        )
    else:
        yield "Rate        no attempt has ended in the last minutes"
    if counts.queued:
        eta = work.eta_seconds
        yield f"Time left   {'unknown' if eta is None else output.duration(eta)}"
    for component in ("worker", "scheduler"):
        of_kind = [beat for beat in work.alive if beat.component == component]
        names = ", ".join(f"{b.instance} {b.age:.0f} s ago" for b in of_kind) or "none reported"
        yield f"{component.capitalize() + 's':11} {len(of_kind)}  ({output.printable(names)})"
    for pause in work.pauses:
        yield f"Paused      {output.printable(f'{pause.part}: {pause.reason}')}"
