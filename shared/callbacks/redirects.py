"""Which redirects of the receiver are followed: pure policy."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

MOST_REDIRECTS = 3

_PORTS = {"http": 80, "https": 443}
_FOLLOWED = (HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT)
"""They keep method and body (RFC 9110, section 15.4); the others turn a POST into a GET."""


class RedirectRefused(Exception):
    """The redirect is not followed; the text says why, and never where it leads."""


def is_redirect(status: int) -> bool:
    """Return whether a status asks to look elsewhere."""
    return status in {300, 301, 302, 303, 305, 307, 308}


def target(url: str, status: int, location: str | None, followed: int) -> str:
    """Return where a redirect leads to.

    ==========================================  =========
    redirect                                    followed
    ==========================================  =========
    307, 308 to the same scheme, host and port  yes
    the fourth in a row                         no
    to any other scheme, host or port           no
    any other status                            no
    ==========================================  =========

    Args:
        url: that was requested; its user and password are kept.
        status: of the response.
        location: its header, None if it has none.
        followed: redirects so far.

    Raises:
        RedirectRefused: it is not followed.
    """
    if status not in _FOLLOWED:
        raise RedirectRefused(f"it redirects with {status}; only 307 and 308 are followed")
    if not location:
        raise RedirectRefused(f"it redirects with {status}, but not where to")
    if followed >= MOST_REDIRECTS:
        raise RedirectRefused(f"it redirects more than {MOST_REDIRECTS} times")
    try:
        found = urlsplit(urljoin(url, location))
        same = _origin(url) == _origin(found.geturl())
    except ValueError:
        raise RedirectRefused("it redirects to an invalid address") from None
    if not same:
        raise RedirectRefused("it redirects to another scheme, host or port")
    return found._replace(netloc=urlsplit(url).netloc, fragment="").geturl()


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return (
        parts.scheme,
        (parts.hostname or "").removesuffix("."),
        parts.port or _PORTS.get(parts.scheme),
    )
