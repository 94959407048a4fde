from __future__ import annotations

import hashlib
from pathlib import Path

from functions.admin.media import thumbnail_cache as module
from functions.admin.media.thumbnail_cache import ThumbnailCache

DIGEST = hashlib.sha256(b"image").digest()


def webp(length: int = 100) -> bytes:
    return b"RIFF" + (length - 8).to_bytes(4, "little") + b"x" * (length - 8)


def test_a_thumbnail_is_kept_for_every_process(tmp_path: Path) -> None:
    ThumbnailCache(tmp_path / "kept").put(DIGEST, "small", webp())
    other = ThumbnailCache(tmp_path / "kept")
    assert other.get(DIGEST, "small") == webp()
    assert other.get(DIGEST, "large") is None
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o700


def test_a_file_that_lost_its_end_is_not_there(tmp_path: Path) -> None:
    cache = ThumbnailCache(tmp_path)
    cache.put(DIGEST, "small", webp())
    (file,) = tmp_path.iterdir()
    file.write_bytes(webp()[:-1])
    assert cache.get(DIGEST, "small") is None
    file.write_bytes(b"")
    assert cache.get(DIGEST, "small") is None


def test_a_folder_that_others_can_write_is_not_used(tmp_path: Path) -> None:
    cache = ThumbnailCache(tmp_path / "kept")
    cache.put(DIGEST, "small", webp())
    (tmp_path / "kept").chmod(0o777)
    assert cache.get(DIGEST, "small") is None
    cache.put(DIGEST, "large", webp())
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_a_folder_that_cannot_be_made_costs_nothing_but_time(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = ThumbnailCache(tmp_path / "file" / "kept")
    cache.put(DIGEST, "small", webp())
    assert cache.get(DIGEST, "small") is None


def test_the_oldest_are_removed(tmp_path: Path) -> None:
    cache = ThumbnailCache(tmp_path, most_bytes=1_000)
    for number in range(module.LOOK_EVERY + 1):
        cache.put(hashlib.sha256(bytes([number])).digest(), "small", webp())
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 1_000
    assert cache.get(hashlib.sha256(bytes([module.LOOK_EVERY])).digest(), "small") == webp()
