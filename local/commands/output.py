"""What commands print: JSON for programs, lines for people, progress while a person waits.

Text goes to standard output, progress and errors to standard error. With `--json` a command prints
one document, or for a list, one document per line; times are ISO 8601 in UTC.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from shared.log import escaped

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
"""The option of every command that prints something."""

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_UNIT = 1024
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def print_json(document: Mapping[str, Any]) -> None:
    """Print a document on one line, in ASCII where standard output is not UTF-8."""
    readable = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    typer.echo(json.dumps(document, ensure_ascii=not readable, default=_plain))


def print_lines(lines: Iterable[str], prefix: str = "") -> None:
    """Print lines in one piece.

    Args:
        lines: without control characters, see `printable`.
        prefix: a terminal's control sequence; left out if standard output is not a terminal.
    """
    typer.echo((prefix if sys.stdout.isatty() else "") + "\n".join(lines))


def report(done: Iterable[str], *, as_json: bool) -> None:
    """Print each step when it is done, a line each, or all of them as one document."""
    if as_json:
        print_json({"done": list(done)})
    else:
        for line in done:
            typer.echo(line)


def printable(text: str) -> str:
    """Return a text from outside that can neither move the cursor nor begin a new line."""
    return escaped(text)


def shows_progress() -> bool:
    """Return whether standard error is a terminal."""
    return sys.stderr.isatty()


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on standard error while the block runs, if that is a terminal.

    Args:
        what: what is being done, in a few words.
        total: number of steps, None if unknown.

    Yields:
        A function to call with the number of steps done so far.
    """
    if not shows_progress():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Remaining())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda steps: bar.update(task, completed=steps)


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show a spinner on standard error while the block runs, if that is a terminal."""
    if not shows_progress():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


def size(number: float) -> str:
    """Return bytes for people: ``512 B``, ``1.5 GiB``."""
    unit = 0
    while number >= _UNIT and unit < len(_UNITS) - 1:
        number, unit = number / _UNIT, unit + 1
    return f"{number:.0f} {_UNITS[unit]}" if unit == 0 else f"{number:.1f} {_UNITS[unit]}"


def duration(seconds: float) -> str:
    """Return a time span for people: ``45 s``, ``12 min``, ``3 h 20 min``, ``2 d 4 h``."""
    whole = max(0, round(seconds))
    if whole < 2 * _MINUTE:
        return f"{whole} s"
    if whole < 2 * _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < 2 * _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def moment(at: datetime | None) -> str:
    """Return a time for people, in UTC; a dash for none."""
    return "-" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def plain(value: object) -> object:
    """Return a value from a message's headers in a form that JSON can hold."""
    match value:
        case dict():
            return {str(name): plain(inner) for name, inner in value.items()}
        case list():
            return [plain(inner) for inner in value]
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            return value.decode(errors="replace")
        case datetime():
            return _plain(value)
        case _:
            return str(value)


def _plain(value: object) -> object:
    """Return what `json` cannot write by itself: times, digests, paths."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat()
        case bytes() | memoryview():
            return bytes(value).hex()
        case Path():
            return str(value)
        case _:
            raise TypeError(type(value).__name__)
