"""The process that decodes images, `python -m functions.admin.media.shrink`; see `decoder`.

What people upload may be made to use up memory or time, or to hurt a decoder. Here it can take no
more than this process's limits, and the processes that answer requests never decode anything.
"""

from __future__ import annotations

import io
import os
import resource
import socket
import struct
import sys
from collections.abc import Sequence
from typing import BinaryIO

from PIL import Image, ImageOps

REQUEST = struct.Struct("!HB")
"""Side in pixels and quality; the image's file comes with it as a descriptor."""

ANSWER = struct.Struct("!?I")
"""Whether there is a thumbnail, and the bytes that follow: it, or the reason in UTF-8."""

LARGEST_PIXELS = 50_000_000
"""An image of more pixels would take over 200 MB to decode."""


def main(formats: Sequence[str], memory: int) -> None:
    """Answer requests on standard input, a socket, until it is closed.

    Args:
        formats: Pillow's names of those that are decoded.
        memory: bytes of address space that this process may have.
    """
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    link = socket.socket(fileno=0)
    while True:
        request, descriptors, _, _ = socket.recv_fds(link, REQUEST.size, 1)
        if not request:
            return
        side, quality = REQUEST.unpack(request)
        with os.fdopen(descriptors[0], "rb") as stream:
            done, content = attempt(stream, side, quality, formats)
        link.sendall(ANSWER.pack(done, len(content)) + content)


def attempt(
    stream: BinaryIO, side: int, quality: int, formats: Sequence[str]
) -> tuple[bool, bytes]:
    """Return whether an image could be made smaller, and the result or the reason.

    Args:
        stream: the image's file.
        side: pixels of the square's sides.
        quality: of the WebP, from 0 to 100.
        formats: Pillow's names of those that are decoded.
    """
    try:
        return True, shrink(stream, side, quality, formats)
    except MemoryError:
        reason = "the image takes too much memory to decode"
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        # Pillow's decoders raise all of these for a broken file.
        reason = str(error) if isinstance(error, TooManyPixels) else "the image cannot be decoded"
    return False, reason.encode()


class TooManyPixels(ValueError):
    """The image has too many pixels."""

    def __str__(self) -> str:
        """Return the reason for people."""
        return "the image has too many pixels"


def shrink(stream: BinaryIO, side: int, quality: int, formats: Sequence[str]) -> bytes:
    """Return an image as WebP, upright, within a square of `side` pixels; see `attempt`.

    Raises:
        TooManyPixels: it has over `LARGEST_PIXELS`.
        OSError, ValueError, SyntaxError, EOFError, DecompressionBombError: it is broken.
    """
    with Image.open(stream, formats=tuple(formats)) as image:
        if image.width * image.height > LARGEST_PIXELS:
            raise TooManyPixels
        image.draft("RGB", (side, side))
        upright = ImageOps.exif_transpose(image)
        upright.thumbnail((side, side))
        written = io.BytesIO()
        mode = "RGBA" if upright.has_transparency_data else "RGB"
        upright.convert(mode).save(written, "WEBP", quality=quality, method=4)
        return written.getvalue()


if __name__ == "__main__":
    main(sys.argv[2:], int(sys.argv[1]))
