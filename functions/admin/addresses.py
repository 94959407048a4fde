"""The admin's addresses, and what each may be asked by. Pure."""

from __future__ import annotations

from functions.admin.media import content
from functions.admin.objects.listing import PATH
from functions.admin.web import assets

HOME = "/admin/"
LOGIN = "/admin/login/"
LOGOUT = "/admin/logout/"
LIVE = "/admin/live/"
PICTURE = "/admin/picture/"
SHORT = {"/admin": HOME, "/admin/sync/": PATH, PATH.rstrip("/"): PATH}
"""Addresses that lack their last part, as people type them, and where they lead."""


def methods(path: str) -> tuple[str, ...]:
    """Gives the methods that a path may be asked by, none where there is nothing.

    ==========================================  ===============
    path                                        methods
    ==========================================  ===============
    /admin/login/                               GET, HEAD, POST
    /admin/logout/                              POST
    /admin/sync/filesync/ and below             GET, HEAD, POST
    the dashboard, style, pictures and media    GET, HEAD
    anything else                               (none)
    ==========================================  ===============
    """
    if path == LOGOUT:
        return ("POST",)
    if path == LOGIN or path.startswith(PATH):
        return ("GET", "HEAD", "POST")
    known = path in {*SHORT, HOME, LIVE} or path.startswith(
        (assets.PREFIX, content.PREFIX, PICTURE)
    )
    return ("GET", "HEAD") if known else ()
