"""Which function answers a request. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from local.handlers import Handler, JointHandler
from local.template import Route

_GREEDY = "{proxy+}"
_ANY = "ANY"
_DEFAULT = "$default"


@dataclass(frozen=True, slots=True)
class Target:
    """A function that answers.

    Attributes:
        handler: of the function.
        method: of the route, `ANY` where it takes every one; GET where it answers a HEAD request.
        seconds: how long it may take.
        joint: answers several events at once, where there is such a handler.
    """

    handler: Handler
    method: str
    seconds: float
    joint: JointHandler | None = None


class Router:
    """Routes that find the target of a request, as an HTTP API does.

    A route whose path is equal precedes one that ends in `{proxy+}`, a longer one of these a
    shorter, a route of the very method one of `ANY`, and `$default` takes what no route takes (API
    Gateway guide, "Create routes for HTTP APIs"). Beyond that, HEAD is answered where GET is
    (RFC 9110, section 9.3.2).

    Args:
        routes: from the template.
        load: returns the handler of a dotted name.
        load_joint: the same for several events at once, of a name and a route's path; None where
            there is none.
    """

    def __init__(
        self,
        routes: Iterable[Route],
        load: Callable[[str], Handler],
        load_joint: Callable[[str, str], JointHandler | None] = lambda _name, _path: None,
    ) -> None:
        self._exact: dict[str, dict[str, Target]] = {}
        greedy: dict[str, dict[str, Target]] = {}
        for route in routes:
            target = Target(
                load(route.handler),
                route.method,
                route.seconds,
                load_joint(route.handler, route.path),
            )
            prefix, is_greedy, _ = route.path.partition(_GREEDY)
            table = greedy if is_greedy else self._exact
            table.setdefault(prefix, {})[route.method] = target
        self._default = self._exact.pop(_DEFAULT, {})
        self._greedy = sorted(greedy.items(), key=lambda item: -len(item[0]))

    def find(self, method: str, path: str) -> Target | tuple[str, ...]:
        """Return the target of a request.

        Args:
            method: as it was sent.
            path: decoded.

        Returns:
            The target; where there is none, the methods that the path allows, empty where there is
            no such path.
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
