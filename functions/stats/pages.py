"""The pages for people: the first one, and the state of the service."""

from __future__ import annotations

import html
from http import HTTPStatus

from functions.stats.health import Report
from shared.health import Part, Status
from shared.http.event import Response

NOT_STORED = {"cache-control": "no-store"}

_HTML = {"content-type": "text/html; charset=utf-8"}
_SAFE = {
    "content-security-policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
}
"""The first page has text and links only, so it may load nothing at all."""

_FRONT = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>external-storage-sync</title>
</head>
<body>
<main>
<h1>external-storage-sync</h1>
<p>Verified local copies of the objects that a web application writes to S3.</p>
<nav aria-label="Service">
<ul>
<li><a href="/openapi.json">API description (OpenAPI)</a></li>
<li><a href="/admin/">Admin</a></li>
<li><a href="/status.html">Health check</a></li>
</ul>
</nav>
</main>
</body>
</html>
"""

_STATUS = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body><h1>{title}</h1><dl>{parts}</dl></body></html>
"""


def front_page() -> Response:
    """Return the page at `/`, which leads to the others."""
    return Response(HTTPStatus.OK, _FRONT, {**_HTML, **_SAFE, "cache-control": "no-cache"})


def status_page(report: Report) -> Response:
    """Return the status page, the original's: 200 if the database and the cache answer, else 503.

    It shows the other parts as well.
    """
    answering = all(
        part.status is Status.OK for part in report.parts if part.name in {"database", "cache"}
    )
    parts = "".join(f"<dt>{html.escape(part.name)}</dt>{_described(part)}" for part in report.parts)
    title = "Service available" if answering else "Service unavailable"
    status = HTTPStatus.OK if answering else HTTPStatus.SERVICE_UNAVAILABLE
    content = _STATUS.format(title=title, parts=parts).encode()
    return Response(status, content, {**_HTML, **NOT_STORED})


def _described(part: Part) -> str:
    shown = [part.reason or part.status]
    if part.since:
        shown.append(f"since {part.since.isoformat(sep=' ', timespec='seconds')}")
    return "".join(f"<dd>{html.escape(text)}</dd>" for text in shown)
