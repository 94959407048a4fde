"""One request as the pages see it: who asks, over what, and what was filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

from functions.admin.errors import FormRefused
from functions.admin.web.sessions import Session
from shared.http.event import Request

MAX_FORM_BYTES = 65_536
MAX_FIELDS = 1_000
FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Visit:
    """One request.

    Attributes:
        request: as it came.
        session: the browser's, without a user before the login.
        csrf: the token that this session's forms carry.
        secure: the browser speaks TLS.
        address: the client's address, for limits.
    """

    request: Request
    session: Session
    csrf: str
    secure: bool
    address: str


def read_form(request: Request) -> Mapping[str, Sequence[str]]:
    """Gives the fields of a form.

    Raises:
        FormRefused: the body is no form, or larger than any of ours.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM_TYPE:
        raise FormRefused("it is not a form")
    if len(request.body) > MAX_FORM_BYTES:
        raise FormRefused("it is too large")
    try:
        text = request.body.decode(errors="replace")
        return parse_qs(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="replace")
    except ValueError as error:
        raise FormRefused("it has too many fields") from error
