"""Small versions of stored pictures, made when first asked for and kept by the browser."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from typing import BinaryIO

from PIL import Image, ImageOps

from functions.admin.errors import NotFound
from functions.admin.media.disposition import treatment
from functions.admin.records import Objects
from functions.admin.web.rendering import SAFE_HEADERS
from shared.errors import FileUnreadable
from shared.http.event import Response
from shared.storage.reading import StoredFiles

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")
TYPES = frozenset(f"image/{name.lower()}" for name in FORMATS)
ONLY_CONVERTED = "image/tiff"
"""Browsers do not show these, or not all do."""

SMALL_BYTES = 60_000
"""A picture up to so many bytes is its own preview."""

SIDES = {"thumb": 80, "preview": 600}
"""Sides in pixels by the name in the URL: twice those of the list for sharp screens, and the
object's page."""

QUALITY = {"thumb": 45, "preview": 72}
LARGEST_PIXELS = 50_000_000
"""A picture of more pixels would take over 200 MB to decode."""

LARGEST_FILE = 100_000_000
KEPT = 256
"""How many are kept in this process; a preview has about 50 kB."""


class Pictures:
    """Makes and keeps small pictures.

    Args:
        objects: tells names and digests.
        files: the storage.
    """

    def __init__(self, objects: Objects, files: StoredFiles) -> None:
        self._objects = objects
        self._files = files
        self._kept: OrderedDict[tuple[bytes, str], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def answer(self, row_id: int, size: str) -> Response:
        """Gives an object's picture in one of `SIDES`.

        Raises:
            NotFound: the object is no synced picture.
            FileUnreadable: its file is missing or is no picture that can be made smaller.
        """
        rows = self._objects.recorded([row_id])
        if not rows or rows[0].sha256 is None or not shown(rows[0].file_type):
            raise NotFound
        headers = {
            **SAFE_HEADERS,
            "content-type": "image/webp",
            # The URL names the digest, so that another content has another URL.
            "cache-control": "private, max-age=604800, immutable",
        }
        return Response(200, self._picture(rows[0].file_name, rows[0].sha256, size), headers)

    def _picture(self, file_name: str, sha256: bytes, size: str) -> bytes:
        key = (sha256, size)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        with self._files.open(file_name) as file:
            if file.size > LARGEST_FILE:
                raise FileUnreadable("the picture is too large to be made smaller")
            made = shrink(file.stream, SIDES[size], QUALITY[size])
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return made


def shown(file_type: str) -> bool:
    """Tells whether there may be a small picture of a file of this type."""
    return treatment(file_type).content_type in TYPES


def shown_as_it_is(file_type: str, size: int) -> bool:
    """Tells whether a picture is its own preview: it is small, or cannot be made smaller here."""
    kind = treatment(file_type).content_type
    return kind not in TYPES or (size <= SMALL_BYTES and kind != ONLY_CONVERTED)


def shrink(stream: BinaryIO, side: int, quality: int) -> bytes:
    """Gives a picture as WebP, upright, within a square of `side` pixels.

    Raises:
        FileUnreadable: it is no picture, or one of too many pixels.
    """
    try:
        with Image.open(stream, formats=FORMATS) as picture:
            if picture.width * picture.height > LARGEST_PIXELS:
                raise FileUnreadable("the picture has too many pixels")
            picture.draft("RGB", (side, side))
            upright = ImageOps.exif_transpose(picture)
            upright.thumbnail((side, side))
            made = io.BytesIO()
            mode = "RGBA" if upright.has_transparency_data else "RGB"
            upright.convert(mode).save(made, "WEBP", quality=quality, method=4)
            return made.getvalue()
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        # Pillow's decoders raise all of these for a broken file.
        raise FileUnreadable("it is not a picture that can be read") from error
