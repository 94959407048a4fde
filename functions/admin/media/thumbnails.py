"""Thumbnails: small versions of stored images, made when first asked for and then kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from http import HTTPStatus

from functions.admin.errors import NotFound
from functions.admin.media.decoder import Decoder
from functions.admin.media.disposition import treatment
from functions.admin.media.thumbnail_cache import ThumbnailCache
from functions.admin.records import Records
from functions.admin.row_id import parse_row_id
from functions.admin.web.context import RequestContext
from functions.admin.web.responses import SAFE_HEADERS
from shared.errors import FileUnreadable
from shared.http.event import Response
from shared.storage.reading import StorageReader

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")
TYPES = frozenset(f"image/{name.lower()}" for name in FORMATS)
"""Media types of the images that are made smaller here."""

ONLY_CONVERTED = "image/tiff"
"""Few browsers show these."""

SMALL_BYTES = 60_000
"""An image up to so many bytes is its own preview."""

SIDES = {"small": 80, "large": 600}
"""Sides in pixels by the name in the address: twice those of the list, for sharp screens, and those
of the object's page."""

QUALITY = {"small": 45, "large": 72}
"""Of WebP, from 0 to 100."""

LARGEST_FILE = 100_000_000
"""Bytes of an image that is read at all."""

KEPT = 256
"""Thumbnails kept in this process; a large one has about 50 kB."""


class Thumbnails:
    """Thumbnails of synced images, kept on disk, the latest in memory as well.

    Args:
        records: knows names, types and digests.
        files: the storage.
        decoder: makes images smaller.
        cache: keeps thumbnails.
    """

    def __init__(
        self, records: Records, files: StorageReader, decoder: Decoder, cache: ThumbnailCache
    ) -> None:
        self._records = records
        self._files = files
        self._decoder = decoder
        self._cache = cache
        self._kept: OrderedDict[tuple[bytes, str], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def file(self, _: RequestContext, size: str, row_id: str) -> Response:
        """Return the thumbnail of an object in one of `SIDES`.

        Raises:
            NotFound: the object is no synced image, or there is none of this size.
            FileUnreadable: its file is missing, or is no image that can be made smaller.
            LedgerUnavailable: PostgreSQL is unreachable.
        """
        number = parse_row_id(row_id)
        if size not in SIDES or number is None:
            raise NotFound
        files = self._records.files([number])
        if not files or files[0].sha256 is None or not has_thumbnail(files[0].file_type):
            raise NotFound
        headers = {
            **SAFE_HEADERS,
            "content-type": "image/webp",
            # The URL holds the digest, so that new content has a new URL.
            "cache-control": "private, max-age=604800, immutable",
        }
        content = self._thumbnail(files[0].file_name, files[0].sha256, size)
        return Response(HTTPStatus.OK, content, headers)

    def _thumbnail(self, file_name: str, sha256: bytes, size: str) -> bytes:
        key = (sha256, size)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        thumbnail = self._cache.get(sha256, size)
        if thumbnail is None:
            with self._files.open(file_name) as file:
                if file.size > LARGEST_FILE:
                    raise FileUnreadable("the image is too large for a thumbnail")
                image = file.stream.fileno()
                thumbnail = self._decoder.shrink(image, SIDES[size], QUALITY[size])
            self._cache.put(sha256, size, thumbnail)
        with self._lock:
            self._kept[key] = thumbnail
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return thumbnail


def has_thumbnail(file_type: str) -> bool:
    """Return whether files of this type can have a thumbnail."""
    return treatment(file_type).content_type in TYPES


def is_own_preview(file_type: str, size: int) -> bool:
    """Return whether an image is shown as it is: it is small, or can't be made smaller here.

    Args:
        file_type: its media type.
        size: bytes.
    """
    kind = treatment(file_type).content_type
    return kind not in TYPES or (size <= SMALL_BYTES and kind != ONLY_CONVERTED)
