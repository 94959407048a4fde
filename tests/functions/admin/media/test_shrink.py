from __future__ import annotations

import io

import pytest
from PIL import Image

from functions.admin.media.shrink import attempt, shrink
from functions.admin.media.thumbnails import FORMATS


def image(mode: str, kind: str, size: tuple[int, int] = (400, 100)) -> io.BytesIO:
    written = io.BytesIO()
    Image.new(mode, size, 1).save(written, kind)
    written.seek(0)
    return written


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("RGB", "JPEG"), ("CMYK", "JPEG"), ("RGBA", "PNG"), ("P", "GIF"), ("1", "TIFF")],
)
def test_an_image_is_made_smaller_in_its_proportions(mode: str, kind: str) -> None:
    made = Image.open(io.BytesIO(shrink(image(mode, kind), 80, 45, FORMATS)))
    assert (made.format, made.size) == ("WEBP", (80, 20))


def test_a_small_image_keeps_its_size() -> None:
    made = shrink(image("RGB", "PNG", (3, 2)), 80, 45, FORMATS)
    assert Image.open(io.BytesIO(made)).size == (3, 2)


@pytest.mark.parametrize("content", [b"", b"not an image", image("RGB", "JPEG").read()[:300]])
def test_a_broken_image_has_a_reason(content: bytes) -> None:
    result = attempt(io.BytesIO(content), 80, 45, FORMATS)
    assert result == (False, b"the image cannot be decoded")


def test_an_image_of_too_many_pixels_is_not_decoded() -> None:
    result = attempt(image("1", "PNG", (10_000, 6_000)), 80, 45, FORMATS)
    assert result == (False, b"the image has too many pixels")


def test_only_the_given_formats_are_decoded() -> None:
    assert attempt(image("RGB", "JPEG"), 80, 45, ("PNG",))[0] is False
