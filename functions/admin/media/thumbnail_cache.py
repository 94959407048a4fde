"""Thumbnails kept on disk, named by the content of their images."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from pathlib import Path

MOST_BYTES = 256 * 1024 * 1024
"""On disk; about 5,000 large thumbnails. Lambda gives a function 512 MB there."""

LOOK_EVERY = 64
"""Thumbnails written between two checks of the cache's size."""


class ThumbnailCache:
    """A folder of thumbnails that all processes of one account share.

    It may be lost at any time: what cannot be read or written counts as not there.

    Args:
        folder: where they are kept; None for one of this account below the system's folder for
            temporary files.
        most_bytes: of all of them; the oldest are removed.
    """

    def __init__(self, folder: Path | None = None, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder or (
            Path(tempfile.gettempdir()) / f"external-storage-sync-thumbnails-{os.geteuid()}"
        )
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._written = 0

    def get(self, sha256: bytes, size: str) -> bytes | None:
        """Return a thumbnail, None if it is not there.

        Args:
            sha256: digest of the image.
            size: name of the thumbnail's size.
        """
        with contextlib.suppress(OSError):
            if self._is_ours():
                content = self._file(sha256, size).read_bytes()
                # RIFF's own length: after a power cut a file may have lost its end.
                if content[:4] == b"RIFF" and int.from_bytes(content[4:8], "little") + 8 == len(
                    content
                ):
                    return content
        return None

    def put(self, sha256: bytes, size: str, content: bytes) -> None:
        """Keep a thumbnail.

        Args:
            sha256: digest of the image.
            size: name of the thumbnail's size.
            content: the thumbnail, as WebP.
        """
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._is_ours():
                return
            handle, name = tempfile.mkstemp(dir=self._folder)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).replace(self._file(sha256, size))
        with self._lock:
            self._written += 1
            due = self._written % LOOK_EVERY == 1
        if due:
            self._remove_oldest()

    def _file(self, sha256: bytes, size: str) -> Path:
        return self._folder / f"{sha256.hex()}.{size}"

    def _is_ours(self) -> bool:
        """Return whether this account alone can write there: anyone can predict the name."""
        status = self._folder.lstat()
        return status.st_uid == os.geteuid() and not status.st_mode & 0o022

    def _remove_oldest(self) -> None:
        with contextlib.suppress(OSError):
            files = [(entry, entry.stat()) for entry in os.scandir(self._folder)]
            total = sum(status.st_size for _, status in files)
            for entry, status in sorted(files, key=lambda file: file[1].st_mtime):
                if total <= self._most_bytes:
                    return
                Path(entry).unlink()
                total -= status.st_size
