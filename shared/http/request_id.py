"""The id of a request, which its response, row, message, log lines and admin page share.

The platform in front sets it (`requestContext.requestId`): AWS generates one; nginx and the local
server accept a client's `X-Request-Id` if it has the safe form. See
docs/decisions/0026-request-ids.md.
"""

from __future__ import annotations

import re
import secrets

HEADER = "x-request-id"
"""Header of every HTTP response, and of requests that have an id."""

FORM = "[A-Za-z0-9][A-Za-z0-9._~:=+/-]{0,127}"
"""The safe form, for nginx as well: UUIDs, ULIDs, AWS's ids and trace ids have it. Such an id is
one word in a log line, in `grep`, in a shell and in a URL, and not a formula in a spreadsheet."""

_SAFE = re.compile(FORM)


def is_safe(text: str) -> bool:
    """Return whether an id from outside may be used as it is.

    ==============================  =====
    id                              safe
    ==============================  =====
    ``order-17``                    yes
    ``JKJaXmPLvHcESHA=``            yes
    ``Root=1-67891233-abcdef01``    yes
    128 characters                  yes
    129 characters                  no
    empty, or with a space          no
    ``=1+1``, ``-rf``               no
    ``größe``, control characters   no
    ==============================  =====
    """
    return _SAFE.fullmatch(text) is not None


def accepted(text: str | None) -> str:
    """Return an id from outside if it has the safe form, otherwise a new one."""
    return text if text and is_safe(text) else secrets.token_hex(16)
