"""`/media/<file_name>`: a stored file's content, for whoever is logged in."""

from __future__ import annotations

from urllib.parse import quote

from functions.admin.errors import NotFound
from functions.admin.media.disposition import content_disposition, treatment
from functions.admin.media.ranges import (
    ByteRange,
    Unsatisfiable,
    byte_range,
    range_counts,
    unchanged,
)
from functions.admin.records import Objects, Recorded
from functions.admin.web.rendering import SAFE_HEADERS
from shared.http.event import Request, Response
from shared.storage.reading import StoredFile, StoredFiles

PREFIX = "/media/"
INTERNAL = "/protected-media/"
"""What nginx calls the storage, see local/nginx.conf."""

TOO_LARGE = (
    "This file is larger than one answer may be here. Ask for it in pieces (Range: bytes=0-), "
    "or save it from its page in the admin, which does so.\n"
)


class Media:
    """Answers requests for files.

    Args:
        objects: tells which names there are, and their types and digests.
        files: the storage.
        largest: bytes of one answer; Lambda bounds them, and memory everywhere.
        accelerated: nginx stands before us and sends the file itself.
    """

    def __init__(
        self, objects: Objects, files: StoredFiles, largest: int, *, accelerated: bool
    ) -> None:
        self._objects = objects
        self._files = files
        self.largest = largest
        self._accelerated = accelerated

    def answer(self, request: Request) -> Response:
        """Gives the file, a part of it, or the word that the client has it.

        Raises:
            NotFound: no synced object has this name.
            FileUnreadable: its file is missing or cannot be read.
        """
        recorded = self._objects.newest_file(request.path.removeprefix(PREFIX).replace("\0", ""))
        if recorded is None or recorded.sha256 is None:
            raise NotFound
        headers = self._headers(recorded)
        if self._accelerated:
            headers["x-accel-redirect"] = INTERNAL + quote(recorded.file_name, safe="/")
            return Response(200, headers=headers)
        with self._files.open(recorded.file_name) as file:
            return self._read(request, recorded.sha256, file, headers)

    def _headers(self, recorded: Recorded) -> dict[str, str]:
        how = treatment(recorded.file_type)
        name = content_disposition(recorded.file_name, inline=how.inline)
        headers = {
            **SAFE_HEADERS,
            "content-type": how.content_type,
            "content-disposition": name,
            "content-security-policy": how.policy,
            "cache-control": "private, no-cache",
        }
        if how.preview == "pdf":
            headers["x-frame-options"] = "SAMEORIGIN"
        return headers

    def _read(
        self, request: Request, sha256: bytes, file: StoredFile, headers: dict[str, str]
    ) -> Response:
        headers["accept-ranges"] = "bytes"
        # The time is part of it: whatever was changed behind the ledger's back is another file.
        etag = headers["etag"] = f'"{sha256.hex()}-{file.changed:x}"'
        if unchanged(request.headers.get("if-none-match"), etag):
            return Response(304, headers=headers)
        try:
            asked = byte_range(request.headers.get("range"), file.size)
        except Unsatisfiable:
            headers["content-range"] = f"bytes */{file.size}"
            return Response(416, headers=headers)
        if not range_counts(request.headers.get("if-range"), etag):
            asked = None
        if asked is None and file.size > self.largest:
            text = {**headers, "content-type": "text/plain; charset=utf-8"}
            return Response(413, TOO_LARGE.encode(), text | {"content-disposition": "inline"})
        if asked is None:
            return Response(200, file.stream.read(), headers)
        # Fewer bytes than asked for: whoever asks for ranges asks on from where they end.
        part = ByteRange(asked.first, min(asked.last, asked.first + self.largest - 1))
        file.stream.seek(part.first)
        headers["content-range"] = f"bytes {part.first}-{part.last}/{file.size}"
        return Response(206, file.stream.read(part.length), headers)
