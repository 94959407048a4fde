"""`/media/<file_name>`: the content of a stored file, for users who are logged in."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import quote

from functions.admin.errors import NotFound
from functions.admin.media.disposition import content_disposition, treatment
from functions.admin.media.ranges import (
    ByteRange,
    Unsatisfiable,
    byte_range,
    range_applies,
)
from functions.admin.records import FileRecord, Records
from functions.admin.web.context import RequestContext
from functions.admin.web.responses import SAFE_HEADERS
from shared.http.etag import is_unchanged
from shared.http.event import Request, Response
from shared.storage.reading import StorageReader, StoredFile

LARGEST_RESPONSE = 32 * 1024 * 1024
"""Bytes of one response. It is held in memory as a whole, and several are at a time."""

LARGEST_RESPONSE_ON_LAMBDA = 4 * 1024 * 1024
"""A response of a Lambda function has 6 MB at most, and a file in it is base64: four thirds."""

INTERNAL = "/protected-media/"
"""Where nginx finds the storage, see local/nginx.conf."""

TOO_LARGE = (
    "This file is too large for one response. Request it in parts (Range: bytes=0-), or download "
    "it from its page in the admin, which does so.\n"
)


class Media:
    """Serves files.

    Args:
        records: knows which files there are, their types and digests.
        files: the storage.
        largest_response: bytes of one response.
        accelerated: nginx is in front and sends the file itself.
    """

    def __init__(
        self, records: Records, files: StorageReader, largest_response: int, *, accelerated: bool
    ) -> None:
        self._records = records
        self._files = files
        self._largest_response = largest_response
        self._accelerated = accelerated

    def file(self, context: RequestContext, file_name: str) -> Response:
        """Return the file, a part of it, or 304 if the client has it already.

        Raises:
            NotFound: no synced object has this name.
            FileUnreadable: its file is missing or can't be read.
            LedgerUnavailable: PostgreSQL is unreachable.
        """
        record = self._records.newest_file(file_name.replace("\0", ""))
        if record is None or record.sha256 is None:
            raise NotFound
        headers = self._headers(record)
        if self._accelerated:
            headers["x-accel-redirect"] = INTERNAL + quote(record.file_name, safe="/")
            return Response(HTTPStatus.OK, headers=headers)
        with self._files.open(record.file_name) as file:
            return self._read(context.request, record.sha256, file, headers)

    def _headers(self, record: FileRecord) -> dict[str, str]:
        how = treatment(record.file_type)
        headers = {
            **SAFE_HEADERS,
            "content-type": how.content_type,
            "content-disposition": content_disposition(record.file_name, inline=how.inline),
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
        # With the time: content that was changed without the ledger is another version.
        etag = headers["etag"] = f'"{sha256.hex()}-{file.changed:x}"'
        if is_unchanged(request.headers.get("if-none-match"), etag):
            return Response(HTTPStatus.NOT_MODIFIED, headers=headers)
        try:
            asked = byte_range(request.headers.get("range"), file.size)
        except Unsatisfiable:
            headers["content-range"] = f"bytes */{file.size}"
            return Response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=headers)
        if not range_applies(request.headers.get("if-range"), etag):
            asked = None
        if asked is None and file.size > self._largest_response:
            text = {**headers, "content-type": "text/plain; charset=utf-8"}
            text["content-disposition"] = "inline"
            return Response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, TOO_LARGE.encode(), text)
        if asked is None:
            return Response(HTTPStatus.OK, file.stream.read(), headers)
        # Fewer bytes than asked for: a client that requests ranges continues where they end.
        part = ByteRange(asked.first, min(asked.last, asked.first + self._largest_response - 1))
        file.stream.seek(part.first)
        headers["content-range"] = f"bytes {part.first}-{part.last}/{file.size}"
        return Response(HTTPStatus.PARTIAL_CONTENT, file.stream.read(part.length), headers)
