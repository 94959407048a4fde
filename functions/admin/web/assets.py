"""The style sheet, the script and the icon, named by their content so that they never go stale."""

from __future__ import annotations

import hashlib
from pathlib import Path

from functions.admin.errors import NotFound
from shared.http.event import Request, Response

FOLDER = Path(__file__).parents[1] / "static"
PREFIX = "/admin/static/"
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
        self._tags = {n: hashlib.sha256(b).hexdigest()[:16] for n, b in self._files.items()}

    def url(self, name: str) -> str:
        """Gives the address of a file, which changes when its content does."""
        return f"{PREFIX}{name}?v={self._tags[name]}"

    def answer(self, request: Request) -> Response:
        """Answers a request for a file.

        Raises:
            NotFound: there is none of this name.
        """
        name = request.path.removeprefix(PREFIX)
        if name not in self._files:
            raise NotFound
        tag = f'"{self._tags[name]}"'
        current = request.query.get("v") == self._tags[name]
        headers = {
            "content-type": TYPES[Path(name).suffix],
            "cache-control": "public, max-age=31536000, immutable" if current else "no-cache",
            "etag": tag,
        }
        if request.headers.get("if-none-match") == tag:
            return Response(304, headers=headers)
        return Response(200, self._files[name], headers)
