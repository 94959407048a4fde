"""HTML: the templates and what they may call."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from functions.admin import addresses
from functions.admin.web import formatting
from functions.admin.web.assets import Assets
from functions.admin.web.characters import visible, visible_text
from functions.admin.web.context import RequestContext
from functions.admin.web.responses import SAFE_HEADERS
from shared.http.event import Response
from shared.ledger.actions import Action
from shared.version import VERSION

FOLDER = Path(__file__).parents[1] / "templates"


class Templates:
    """Renders the templates.

    Args:
        assets: the style sheet, script and icon that pages link to.
        environment: name of this installation, for the header; "" for none.
    """

    def __init__(self, assets: Assets, environment: str = "") -> None:
        self._templates = Environment(
            loader=FileSystemLoader(FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals |= {
            "asset": assets.url,
            "addresses": addresses,
            "environment": environment,
            "version": VERSION,
        }
        self._templates.filters |= {
            "action_done": lambda name: Action(name).done,
            "size": formatting.size,
            "count": formatting.count,
            "span": formatting.span,
            "kind": formatting.kind,
            "segments": formatting.segments,
            "moment": _moment,
            "visible": visible,
            "visible_text": visible_text,
        }

    def render(
        self,
        template: str,
        context: RequestContext,
        status: HTTPStatus = HTTPStatus.OK,
        **values: Any,
    ) -> Response:
        """Return a whole page.

        Args:
            template: its file.
            context: who asks.
            status: of the response.
            values: what the template shows.
        """
        page = self._templates.get_template(template)
        text = page.render(
            user=context.session.user, csrf=context.csrf, path=context.request.path, **values
        )
        headers = {
            "content-type": "text/html; charset=utf-8",
            "cache-control": "no-store",
            **SAFE_HEADERS,
        }
        return Response(status, text.encode(errors="replace"), headers)


def _moment(moment: datetime) -> Markup:
    utc = moment.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        utc.isoformat(timespec="milliseconds"), utc.strftime("%Y-%m-%d %H:%M:%S")
    )
