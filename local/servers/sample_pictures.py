"""Sample pictures for a first look, drawn here: every call draws the same bytes."""

from __future__ import annotations

import io
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # 7 MB that a process which names a picture only would keep for its whole life
    from PIL import Image

FORMATS = {".jpg": ("JPEG", "image/jpeg"), ".png": ("PNG", "image/png")}
HILLS = 4
NOON = 0.5
# Names that a client's storage may hold, each hard in its own way, and the two of the examples
# in the documentation. Grain is noise in percent: it does not compress, so it makes size.
SPECIAL = (
    ("65d9e6e87a533da87ebcdee4.jpg", (1_280, 853), 4),
    ("6367458640aecc61b9736d45538952.jpg", (1_024, 768), 4),
    ("panorama.jpg", (3_600, 1_800), 25),
    ("evening over the hills.png", (640, 480), 0),
    ("Höhenweg-日の出.jpg", (960, 640), 4),
    ("2026/11/field trip/first stop.jpg", (960, 640), 4),
    ("dot.png", (1, 1), 0),
)
PLAIN = 29


@dataclass(frozen=True, slots=True)
class Picture:
    """A sample picture, drawn when its content is asked for.

    Attributes:
        name: its key in the bucket.
        size: width and height in pixels.
        grain: noise in percent.
        seed: of its landscape.
    """

    name: str
    size: tuple[int, int]
    grain: int
    seed: int

    @property
    def media_type(self) -> str:
        """The media type, by the name's ending."""
        return FORMATS[self.name[-4:]][1]

    @property
    def content(self) -> bytes:
        """The picture's file."""
        from PIL import Image  # noqa: PLC0415 # as above

        chance = random.Random(self.seed)  # the same landscape every time
        image = _landscape(self.size, chance)
        if self.grain:
            noise = Image.frombytes("L", self.size, chance.randbytes(self.size[0] * self.size[1]))
            image = Image.blend(image, Image.merge("RGB", (noise,) * 3), self.grain / 100)
        written = io.BytesIO()
        image.save(written, FORMATS[self.name[-4:]][0], quality=90)
        return written.getvalue()


def pictures() -> Iterator[Picture]:
    """Yield the sample pictures, a few dozen, always the same ones in the same order."""
    for seed, (name, size, grain) in enumerate(SPECIAL):
        yield Picture(name, size, grain, seed)
    for number in range(1, PLAIN + 1):
        width = 160 + 40 * (number % 12)
        ending = ".png" if number % 3 == 0 else ".jpg"
        yield Picture(f"picture-{number:02}{ending}", (width, width * 2 // 3), 0, 100 + number)


def _landscape(size: tuple[int, int], chance: random.Random) -> Image.Image:
    """Return a sky with a sun behind rows of hills."""
    from PIL import Image, ImageDraw  # noqa: PLC0415 # as above

    width, height = size
    hour = chance.random()
    high = (int(90 * hour), int(80 + 90 * hour), int(130 + 100 * hour))
    low = (255, int(150 + 80 * hour), int(90 + 120 * hour))
    sky = Image.linear_gradient("L").resize(size)
    image = Image.composite(Image.new("RGB", size, low), Image.new("RGB", size, high), sky)
    pen = ImageDraw.Draw(image)
    radius = height * (0.05 + 0.05 * chance.random())
    x, y = width * chance.random(), height * (0.2 + 0.4 * abs(hour - NOON))
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(255, 244, 214))
    for row in range(HILLS):
        waves = [(chance.uniform(1, 6), chance.uniform(0, math.tau)) for _ in range(3)]
        crest = height * (0.5 + 0.12 * row)
        outline = [
            (px, crest + height * 0.04 * sum(math.sin(f * px / width + p) for f, p in waves))
            for px in range(0, width + 8, 8)
        ]
        shade = 1 - row / HILLS
        color = (int(40 + 90 * shade), int(70 + 80 * shade), int(60 + 110 * shade))
        pen.polygon([(0, height), *outline, (width + 8, height)], fill=color)
    return image
