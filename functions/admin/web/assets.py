"""The style sheet, the script and the icon, named by their content so that they never go stale."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from pathlib import Path

from functions.admin import addresses
from functions.admin.errors import NotFound
from functions.admin.web.context import RequestContext
from shared.http.event import Response

FOLDER = Path(__file__).parents[1] / "static"
TAG_DIGITS = 16
"""Hexadecimal digits of a file's digest that tell its versions apart."""

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Assets:
    """The files of one folder, read once.

    Args:
        folder: holds them, without subfolders.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = {file.name: file.read_bytes() for file in sorted(folder.iterdir())}
        self._tags = {
            name: hashlib.sha256(content).hexdigest()[:TAG_DIGITS]
            for name, content in self._files.items()
        }

    def url(self, name: str) -> str:
        """Return the URL of a file, which changes when its content does."""
        return f"{addresses.STATIC.url(name=name)}?v={self._tags[name]}"

    def file(self, context: RequestContext, name: str) -> Response:
        """Return a file.

        Raises:
            NotFound: there is none of this name.
        """
        if name not in self._files:
            raise NotFound
        request = context.request
        tag = f'"{self._tags[name]}"'
        current = request.query.get("v") == self._tags[name]
        headers = {
            "content-type": TYPES[Path(name).suffix],
            "cache-control": "public, max-age=31536000, immutable" if current else "no-cache",
            "etag": tag,
        }
        if request.headers.get("if-none-match") == tag:
            return Response(HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(HTTPStatus.OK, self._files[name], headers)
