"""Routes: an address, who may ask for it, and the pages that answer each method. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from functions.admin.addresses import Address
from functions.admin.errors import MethodNotAllowed, NotFound
from functions.admin.web.access_control import Access
from shared.http.event import Response

Page = Callable[..., Response]
"""Called with the request's context, and the values of the address's placeholders by name."""


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the routing table.

    Attributes:
        address: the path, or the pattern of the paths.
        access: who may ask for it.
        get: the page that answers GET and HEAD, None if there is none.
        post: the page that answers POST, None if there is none.
    """

    address: Address
    access: Access
    get: Page | None = None
    post: Page | None = None

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that are answered."""
        return (*(("GET", "HEAD") if self.get else ()), *(("POST",) if self.post else ()))

    def page(self, method: str) -> Page:
        """Return the page that answers a method.

        Raises:
            MethodNotAllowed: there is none.
        """
        page = {"GET": self.get, "HEAD": self.get, "POST": self.post}.get(method)
        if page is None:
            raise MethodNotAllowed(self.methods)
        return page


def find(routes: Sequence[Route], path: str) -> tuple[Route, Mapping[str, str]]:
    """Return the route of a path, and the values of its address's placeholders.

    Raises:
        NotFound: no route has this path.
    """
    for route in routes:
        values = route.address.match(path)
        if values is not None:
            return route, values
    raise NotFound
