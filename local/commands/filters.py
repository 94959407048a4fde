"""The filter options of the commands that work on objects.

A command takes a `Selection`; `filtered` adds all options of the filter to it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from shared.ledger.rows import State
from shared.ledger.selection import Origin, Selection, Verification
from shared.queue.messages import MAX_ROW_ID

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_TIME = "2026-01-31T12:00 in UTC, or how long ago: 90m, 36h, 7d"
_PANEL = f"Which objects (TIME: {_TIME})"


def moment(text: str, now: datetime) -> datetime:
    """Return the time that a text gives, as a date and time or as an age.

    Args:
        text: ISO 8601, in UTC unless it names a zone, or a number of s, m, h or d, such as 90m.
        now: the current time, with its zone.

    Raises:
        BadParameter: the text is neither.
    """
    try:
        if text[:-1].isdecimal() and text[-1] in _UNITS:
            return now - timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
        given = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"{text!r}: expected {_TIME}") from error
    return given if given.tzinfo else given.replace(tzinfo=UTC)


def _moment(text: str) -> datetime:
    return moment(text, datetime.now(UTC))


def _text(text: str) -> str:
    """Return a text; refuse an empty one, a mistake such as an unset variable."""
    if not text.strip():
        raise typer.BadParameter("it is empty")
    return text


def _option(*names: str, **details: Any) -> Any:
    return typer.Option(*names, rich_help_panel=_PANEL, show_default=False, **details)


def _time(name: str, what: str) -> Any:
    return _option(name, parser=_moment, metavar="TIME", help=what)


_Ids = Annotated[
    list[int] | None,
    typer.Argument(min=1, max=MAX_ROW_ID, metavar="ID", help="Ids of objects.", show_default=False),
]
_OPTIONS: dict[str, Any] = {
    "more_ids": Annotated[
        list[int] | None,
        _option("--id", min=1, max=MAX_ROW_ID, help="Same as ID; may be repeated."),
    ],
    "states": Annotated[
        list[State] | None, _option("--state", help="In this state; may be repeated.")
    ],
    "reason": Annotated[
        str | None,
        _option("--reason", parser=_text, metavar="TEXT", help="The error contains this text."),
    ],
    "exact_reason": Annotated[
        str | None,
        _option(
            "--exact-reason",
            parser=_text,
            metavar="TEXT",
            help="The error, without its details, is this text.",
        ),
    ],
    "text": Annotated[
        str | None,
        _option(
            "--search",
            parser=_text,
            metavar="TEXT",
            help="Whatever the admin's search finds.",
        ),
    ],
    "name": Annotated[
        str | None,
        _option(
            "--name",
            parser=_text,
            metavar="PATTERN",
            help="The file name; * matches any text, ? any character.",
        ),
    ],
    "file_type": Annotated[
        str | None,
        _option("--type", parser=_text, metavar="TYPE", help="The media type: image/png."),
    ],
    "origin": Annotated[
        Origin | None, _option("--origin", help="How the service learned of the object.")
    ],
    "received_from": Annotated[
        datetime | None, _time("--received-since", "Received then or later")
    ],
    "received_before": Annotated[datetime | None, _time("--received-before", "Received before")],
    "failed_from": Annotated[datetime | None, _time("--failed-since", "Failed then or later")],
    "failed_before": Annotated[datetime | None, _time("--failed-before", "Failed before")],
    "synced_from": Annotated[datetime | None, _time("--synced-since", "Synced then or later")],
    "synced_before": Annotated[datetime | None, _time("--synced-before", "Synced before")],
    "verified": Annotated[
        list[Verification] | None,
        _option("--verified", help="What the last verification found; may be repeated."),
    ],
    "unverified": Annotated[
        bool, _option("--unverified", help="Not verified since it was copied.")
    ],
    "changed_by": Annotated[
        int | None,
        _option("--changed-by", min=1, metavar="ACTION", help="Changed by this action."),
    ],
}
"""The fields of `Selection` by name, as options."""


def filtered(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of the filter in place of its parameter `selection`."""

    @functools.wraps(command)
    def with_options(
        ids: list[int] | None = None, more_ids: list[int] | None = None, **given: Any
    ) -> None:
        criteria = {name: given.pop(name) for name in _OPTIONS if name != "more_ids"}
        for name in ("states", "verified"):
            criteria[name] = tuple(criteria[name]) if criteria[name] else None
        every_id = tuple(dict.fromkeys([*(ids or ()), *(more_ids or ())]))
        command(selection=Selection(ids=every_id or None, **criteria), **given)

    own = inspect.signature(command, eval_str=True).parameters.values()
    keyword = inspect.Parameter.KEYWORD_ONLY
    options = [
        inspect.Parameter(
            name, keyword, annotation=kind, default=False if name == "unverified" else None
        )
        for name, kind in _OPTIONS.items()
    ]
    ids = inspect.Parameter("ids", keyword, annotation=_Ids, default=None)
    with_options.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [ids, *options, *(p for p in own if p.name != "selection")]
    )
    with_options.__annotations__ = {}
    return with_options


def is_given(selection: Selection) -> bool:
    """Return whether a selection has any criterion."""
    return selection != Selection()
