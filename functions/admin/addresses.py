"""The admin's addresses: each is written here once, for Python and for the templates. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote, unquote

_PLACEHOLDER = re.compile(r"\{(\w+)(:path)?\}")


@dataclass(frozen=True, slots=True)
class Address:
    """The path of a page, or the pattern of the paths of many.

    Attributes:
        pattern: a path; `{name}` in it stands for one segment, `{name:path}` for one or more.
    """

    pattern: str

    def url(self, **values: object) -> str:
        """Return the path with a value, percent-encoded, for each placeholder.

        Raises:
            KeyError: a placeholder has no value.
        """
        return _PLACEHOLDER.sub(
            lambda found: quote(str(values[found[1]]), safe="/" if found[2] else ""), self.pattern
        )

    def match(self, path: str) -> Mapping[str, str] | None:
        """Return the value of each placeholder in a decoded path, None if the path is another."""
        found = _expression(self.pattern).fullmatch(path)
        return found.groupdict() if found else None


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    # Split by two groups: text, name, ":path" or None, text, …
    pieces = _PLACEHOLDER.split(pattern)
    expression = re.escape(pieces[0])
    for name, several, text in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        expression += f"(?P<{name}>{'.*' if several else '[^/]*'}){re.escape(text)}"
    return re.compile(expression, re.DOTALL)


DASHBOARD = Address("/admin/")
LIVE = Address("/admin/live/")
"""The part of the dashboard that refreshes itself."""

LIST = Address("/admin/sync/filesync/")
OBJECT = Address("/admin/sync/filesync/{row_id}/change/")
FAILURES = Address("/admin/failures/")
ACTIONS = Address("/admin/actions/")
NEW_ACTION = Address("/admin/actions/new/")
"""Asks whether an action on all objects of a filter is meant."""

ACTION = Address("/admin/actions/{action_id}/")
ACTION_LIVE = Address("/admin/actions/{action_id}/live/")
"""The part of an action's page that refreshes itself."""

EXPORT = Address("/admin/export/")
EXPORT_FILE = Address("/admin/export/objects.{kind}")
CALLBACKS = Address("/admin/callbacks/")
THUMBNAIL = Address("/admin/thumbnail/{size}/{row_id}")
MEDIA = Address("/media/{file_name:path}")
LOGIN = Address("/admin/login/")
LOGOUT = Address("/admin/logout/")
STATIC = Address("/admin/static/{name}")

SHORTENED: Mapping[Address, Address] = {
    Address("/admin"): DASHBOARD,
    Address("/admin/sync/"): LIST,
    Address("/admin/sync/filesync"): LIST,
    Address("/admin/sync/filesync/{row_id}/change"): OBJECT,
    Address("/admin/callbacks"): CALLBACKS,
    Address("/admin/failures"): FAILURES,
    Address("/admin/actions"): ACTIONS,
}
"""Addresses that lack their last part, as people type them, and where they lead."""


def is_own(target: str) -> bool:
    r"""Return whether a redirect may lead to an address: only to the admin's pages and files.

    =========================  =======
    target                     answer
    =========================  =======
    /admin/sync/filesync/?q=a  True
    /media/a.jpg               True
    /sync/                     False
    //example.com              False
    https://example.com/       False
    /admin/..//example.com     False: a browser takes the dots out
    /admin/%2e%2e/x            False: these are dots as well
    /admin/\example            False: some browsers read it as a slash
    /admin/, then a break      False: the header would end there
    /admin/login/, logout      False: it would lead back here
    =========================  =======
    """
    path = target.partition("?")[0].partition("#")[0]
    ours = path.startswith((DASHBOARD.pattern, MEDIA.url(file_name="")))
    dots = {".", ".."}.intersection(unquote(path).split("/"))
    circle = path.startswith((LOGIN.pattern, LOGOUT.pattern))
    plain = "\\" not in target and target.isascii() and target.isprintable()
    return ours and plain and not dots and not circle
