from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from functions.admin.media.decoder import Decoder
from functions.admin.media.thumbnails import FORMATS
from shared.errors import FileUnreadable
from tests.helpers.waiting import until

MEBIBYTE = 1024 * 1024


@pytest.fixture
def new_decoder() -> Iterator[Callable[..., Decoder]]:
    made: list[Decoder] = []

    def new(**options: Any) -> Decoder:
        made.append(Decoder(FORMATS, **options))
        return made[-1]

    yield new
    for decoder in made:
        decoder.close()


def bomb(path: Path, side: int = 7_000) -> Path:
    """Write a PNG of 49 million pixels, in a few kilobytes."""
    Image.new("RGB", (side, side)).save(path, "PNG")
    return path


def small(path: Path) -> Path:
    Image.new("RGB", (400, 100)).save(path, "JPEG")
    return path


def shrunk(decoder: Decoder, path: Path) -> tuple[int, int]:
    with path.open("rb") as file:
        return Image.open(io.BytesIO(decoder.shrink(file.fileno(), 80, 45))).size


def memory(pid: int | str, name: str) -> int:
    """Return bytes of memory of a process, by its name in /proc/<pid>/status."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(name)


def test_images_are_decoded_one_after_another_in_one_process(
    new_decoder: Callable[..., Decoder], tmp_path: Path
) -> None:
    decoder = new_decoder()
    path = small(tmp_path / "a.jpg")
    assert decoder.pid is None
    assert shrunk(decoder, path) == (80, 20)
    pid = decoder.pid
    assert shrunk(decoder, path) == (80, 20)
    assert decoder.pid == pid != os.getpid()


def test_six_large_images_at_once_take_the_memory_of_one(
    new_decoder: Callable[..., Decoder], tmp_path: Path
) -> None:
    decoder = new_decoder(seconds=120.0, wait_seconds=600.0)  # on a busy machine, too
    path = bomb(tmp_path / "a.png")
    assert path.stat().st_size < MEBIBYTE
    before = memory("self", "VmRSS")
    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(lambda _: shrunk(decoder, path), range(6))) == [(80, 80)] * 6
    assert memory("self", "VmRSS") - before < 50 * MEBIBYTE
    assert memory(decoder.pid or 0, "VmHWM") < 600 * MEBIBYTE


def test_an_image_over_the_limit_of_memory_is_refused_and_others_go_on(
    new_decoder: Callable[..., Decoder], tmp_path: Path
) -> None:
    decoder = new_decoder(memory=256 * MEBIBYTE)
    with pytest.raises(FileUnreadable, match=r"too much memory|cannot be decoded|decoder ended"):
        shrunk(decoder, bomb(tmp_path / "a.png"))
    assert shrunk(decoder, small(tmp_path / "b.jpg")) == (80, 20)


def test_an_image_over_the_limit_of_time_is_given_up(
    new_decoder: Callable[..., Decoder], tmp_path: Path
) -> None:
    decoder = new_decoder(seconds=0.0)
    with pytest.raises(FileUnreadable, match="takes too long"):
        shrunk(decoder, bomb(tmp_path / "a.png"))
    assert decoder.pid is None


def test_a_process_that_was_killed_is_replaced(
    new_decoder: Callable[..., Decoder], tmp_path: Path
) -> None:
    decoder = new_decoder()
    path = small(tmp_path / "a.jpg")
    shrunk(decoder, path)
    pid = decoder.pid or 0
    os.kill(pid, signal.SIGKILL)
    until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z")
    assert shrunk(decoder, path) == (80, 20)
    assert decoder.pid != pid


def test_a_broken_image_is_an_unreadable_file(
    new_decoder: Callable[..., Decoder], tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"not an image")
    with pytest.raises(FileUnreadable, match="cannot be decoded"):
        shrunk(new_decoder(), tmp_path / "a.jpg")


def test_the_process_ends_with_its_decoder(
    new_decoder: Callable[..., Decoder], tmp_path: Path
) -> None:
    decoder = new_decoder()
    shrunk(decoder, small(tmp_path / "a.jpg"))
    pid = decoder.pid
    decoder.close()
    assert not Path(f"/proc/{pid}").exists()
