"""The functions' handlers, by the dotted names that the template has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from shared.errors import SettingError

Handler = Callable[[Any, Any], object]
"""A Lambda handler; it is called with an event and a context object."""

JointHandler = Callable[[Sequence[Any], Any], Sequence[object]]
"""The same for several events; see `joint`."""


def imported(name: str) -> Handler:
    """Return the handler of a dotted name such as `functions.ingest.handler.handler`.

    Raises:
        SettingError: there is none.
    """
    module, _, attribute = name.rpartition(".")
    try:
        handler: Handler = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingError(f"template.yaml: no handler {name}: {error}") from error
    return handler


def joint(name: str, path: str) -> JointHandler | None:
    """Return what answers several events at once in a handler's stead, None where nothing does.

    It is in `TOGETHER` beside the handler, by the path of the route, and returns for each event
    what the handler would, or the error that the handler would raise.

    Args:
        name: of the handler.
        path: of the route, as the template has it.
    """
    beside = import_module(imported(name).__module__)
    together: Mapping[str, JointHandler] = getattr(beside, "TOGETHER", {})
    return together.get(path)


def prepare(name: str) -> None:
    """Let a function build what it needs, where its handler has a `prepare` beside it.

    Called at the start, this reports an invalid setting there and not to the first client.

    Raises:
        SettingError: there is no such handler, or a setting that it needs is missing or invalid.
    """
    getattr(import_module(imported(name).__module__), "prepare", lambda: None)()
