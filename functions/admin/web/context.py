"""The context of one request, as pages see it: who asks, over what, and what was filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from functions.admin.web.sessions import Session
from shared.http.event import Request

Form = Mapping[str, Sequence[str]]
"""The values of each field, in the order in which the form has them."""


@dataclass(frozen=True, slots=True)
class RequestContext:
    """One request.

    Attributes:
        request: as it came.
        session: the browser's, without a user before the login.
        csrf: the token that this session's forms carry.
        secure: the browser speaks TLS.
        address: the client's IP address, for rate limits.
        form: the fields of a form whose token was valid; empty for other requests.
    """

    request: Request
    session: Session
    csrf: str
    secure: bool
    address: str
    form: Form = field(default_factory=dict)

    def value(self, name: str) -> str:
        """Return the first value of a form's field, "" if there is none."""
        return next(iter(self.form.get(name, ())), "")
