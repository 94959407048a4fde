"""Forms: how the body of a POST is read. Pure."""

from __future__ import annotations

from urllib.parse import parse_qs

from functions.admin.errors import FormInvalid
from functions.admin.web.context import Form
from shared.http.event import Request

MAX_BYTES = 65_536
MAX_FIELDS = 1_000
CONTENT_TYPE = "application/x-www-form-urlencoded"


def read_form(request: Request) -> Form:
    """Return the fields of a form.

    Raises:
        FormInvalid: the body is no form, or larger than any of ours.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != CONTENT_TYPE:
        raise FormInvalid(f"expected {CONTENT_TYPE}")
    if len(request.body) > MAX_BYTES:
        raise FormInvalid("too large")
    try:
        text = request.body.decode(errors="replace")
        return parse_qs(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="replace")
    except ValueError as error:
        raise FormInvalid("too many fields") from error
