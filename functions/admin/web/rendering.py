"""HTML: the templates, what they may call, and the headers that every page carries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from functions.admin.web import formatting
from functions.admin.web.assets import Assets
from functions.admin.web.context import Visit
from shared.http.event import Response

TEMPLATES = Path(__file__).parents[1] / "templates"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
    "frame-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
"""No inline script or style, nothing from elsewhere, framed by nobody."""

SAFE_HEADERS: Mapping[str, str] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Pages:
    """Renders pages.

    Args:
        assets: what pages link to.
        clock: gives the time now, aware.
    """

    def __init__(self, assets: Assets, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals["asset"] = assets.url
        self._templates.filters |= {
            "size": formatting.size,
            "count": formatting.count,
            "span": formatting.span,
            "kind": formatting.kind,
            "segments": formatting.segments,
            "moment": _moment,
            "ago": self._ago,
            "media": media_url,
        }

    def render(self, template: str, visit: Visit, status: int = 200, **values: Any) -> Response:
        """Gives a whole page.

        Args:
            template: its file.
            visit: who asks.
            status: HTTP status code.
            values: what the template shows.
        """
        page = self._templates.get_template(template)
        text = page.render(
            user=visit.session.user, csrf=visit.csrf, path=visit.request.path, **values
        )
        headers = {
            "content-type": "text/html; charset=utf-8",
            "cache-control": "no-store",
            **SAFE_HEADERS,
        }
        return Response(status, text.encode(errors="replace"), headers)

    def _ago(self, moment: datetime) -> str:
        return formatting.span(max(0.0, (self._clock() - moment).total_seconds())) + " ago"


def media_url(file_name: str) -> str:
    """Gives the address of a file's content."""
    return "/media/" + quote(file_name, safe="/")


def _moment(moment: datetime) -> Markup:
    utc = moment.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        utc.isoformat(timespec="milliseconds"), utc.strftime("%Y-%m-%d %H:%M:%S")
    )
