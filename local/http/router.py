"""Which function answers a request. Pure, but for importing the handlers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from local.template import Route
from shared.errors import SettingError

_GREEDY = "{proxy+}"
_ANY = "ANY"
_DEFAULT = "$default"


@dataclass(frozen=True, slots=True)
class Target:
    """A function that answers.

    Attributes:
        handler: to be called with event and context.
        method: what the event's method is; GET for the HEAD of a page that has only GET.
        seconds: how long it may take.
    """

    handler: Callable[[dict[str, Any], Any], object]
    method: str
    seconds: float


class Router:
    """Finds the target of a request, as an HTTP API does.

    A route whose path is equal goes before one that ends in `{proxy+}`, a longer one of these
    before a shorter, a route of the very method before `ANY`, and `$default` takes what no route
    takes (API Gateway guide, "Create routes for HTTP APIs"). Beyond that, HEAD is answered where
    GET is (RFC 9110, section 9.3.2).

    Args:
        routes: from the template.
        load: gives the handler of a dotted name.
    """

    def __init__(
        self,
        routes: Iterable[Route],
        load: Callable[[str], Callable[[dict[str, Any], Any], object]],
    ) -> None:
        self._exact: dict[str, dict[str, Target]] = {}
        greedy: dict[str, dict[str, Target]] = {}
        for route in routes:
            target = Target(load(route.handler), route.method, route.seconds)
            prefix, is_greedy, _ = route.path.partition(_GREEDY)
            table = greedy if is_greedy else self._exact
            table.setdefault(prefix, {})[route.method] = target
        self._default = self._exact.pop(_DEFAULT, {})
        self._greedy = sorted(greedy.items(), key=lambda item: -len(item[0]))

    def find(self, method: str, path: str) -> Target | tuple[str, ...]:
        """Finds who answers.

        Args:
            method: as it was sent.
            path: decoded.

        Returns:
            The target; or the methods that the path has, none where there is no such path.
        """
        exact = self._exact.get(path)
        tables = [exact] if exact is not None else []
        tables += [table for prefix, table in self._greedy if path.startswith(prefix)]
        for table in tables:
            found = table.get(method) or table.get(_ANY)
            if found is None and method == "HEAD":
                found = table.get("GET")
            if found is not None:
                return found
        otherwise = self._default.get(method) or self._default.get(_ANY)
        if otherwise is not None:
            return otherwise
        allowed = {m for table in tables for m in table}
        if "GET" in allowed:
            allowed.add("HEAD")
        return tuple(sorted(allowed))


def imported(name: str) -> Callable[[dict[str, Any], Any], object]:
    """Imports the handler of a dotted name such as `functions.ingest.handler.handler`.

    Raises:
        SettingError: there is none.
    """
    module, _, attribute = name.rpartition(".")
    try:
        handler: Callable[[dict[str, Any], Any], object] = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise SettingError(f"template.yaml: no handler {name}: {error}") from error
    return handler


def prepare(name: str) -> None:
    """Lets the function of a handler build what it needs, where it has a `prepare` beside it.

    Raises:
        SettingError: there is no such handler, or a setting that it needs is missing or wrong.
    """
    getattr(import_module(imported(name).__module__), "prepare", lambda: None)()
