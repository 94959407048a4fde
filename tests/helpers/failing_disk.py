"""An ext4 disk whose writes can be made to fail: a loop device over a file that has no room."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

FIBMAP = 1
"""ioctl: the number of a file's block on its disk (linux/fs.h)."""

BLOCK_BYTES = 4096

DISK_BYTES = 32 * 1024 * 1024

HOST_BYTES = DISK_BYTES + 4 * 1024 * 1024


class CannotMount(Exception):
    """This machine, or this account, cannot do what a test needs."""


def run(*command: str | Path) -> str:
    """Run a command of the system; return what it prints.

    Raises:
        CannotMount: it is missing or fails.
    """
    if shutil.which(str(command[0])) is None:
        raise CannotMount(f"{command[0]} is missing")
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode:
        raise CannotMount(f"{command[0]}: {done.stderr.strip()}")
    return done.stdout


@contextlib.contextmanager
def mounted(folder: Path, *options: str | Path) -> Iterator[Path]:
    """Mount something for the time of a block.

    Args:
        folder: where.
        options: of mount(8), without the folder.

    Raises:
        CannotMount: it fails.
    """
    if os.geteuid():
        raise CannotMount("only root may mount")
    folder.mkdir(exist_ok=True)
    run("mount", *options, folder)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=60)


class FailingDisk:
    """A mounted disk.

    Args:
        host: a small memory file system, which holds the disk's content.
        folder: where the disk is mounted.
    """

    def __init__(self, host: Path, folder: Path) -> None:
        self.folder = folder
        self._image = host / "image"
        self._filler = host / "filler"
        self._mounts = contextlib.ExitStack()

    @classmethod
    @contextlib.contextmanager
    def at(cls, folder: Path, mount_at: Path | None = None) -> Iterator[FailingDisk]:
        """Make a disk and mount it for the time of a block.

        Args:
            folder: for what it needs.
            mount_at: where it is mounted; a folder of that folder otherwise.

        Raises:
            CannotMount: this machine or account cannot.
        """
        size = f"size={HOST_BYTES}"
        with mounted(folder / "host", "-t", "tmpfs", "-o", size, "host") as host:
            disk = cls(host, mount_at or folder / "disk")
            with disk._image.open("wb") as image:
                os.posix_fallocate(image.fileno(), 0, DISK_BYTES)
                options = "lazy_itable_init=0,lazy_journal_init=0,nodiscard"
                run("mkfs.ext4", "-q", "-F", "-b", str(BLOCK_BYTES), "-E", options, disk._image)
                # mkfs frees what it clears; everything but `break_under` shall have its room
                os.posix_fallocate(image.fileno(), 0, DISK_BYTES)
            with disk._mounts:
                disk._mount()
                yield disk

    def break_under(self, path: Path) -> None:
        """Let the disk fail where a file's bytes are, and nowhere else, until `repair`.

        Args:
            path: a file that is on disk already.
        """
        self._free(_blocks(path))
        self._fill()

    def break_new_files(self) -> None:
        """Let the disk fail where the bytes of new files will be, until `repair`.

        All other room is taken by a file `rest`.
        """
        room, rest = self.folder / "room", self.folder / "rest"
        for path, size in ((room, DISK_BYTES // 4), (rest, DISK_BYTES)):
            with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                for _ in range(size // BLOCK_BYTES):
                    file.write(bytes(BLOCK_BYTES))
        self._free(_blocks(room))
        room.unlink()
        folder = os.open(self.folder, os.O_RDONLY)
        os.fsync(folder)  # blocks can be used again once it is on disk that they are free
        os.close(folder)
        self._fill()

    def forget(self) -> None:
        """Have files read from the disk from now on, not from memory."""
        for path in self.folder.rglob("*"):
            if path.is_file():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def repair(self) -> None:
        """Let the disk write everything again."""
        self._filler.unlink()

    def remount(self) -> None:
        """Forget everything that is in memory only; no file may be open."""
        self._mounts.close()
        self._mount()

    def _free(self, blocks: list[int]) -> None:
        """Take the room of blocks from the image."""
        first, count = -1, 0
        for block in [*blocks, -1]:
            if first + count == block:
                count += 1
                continue
            if count:
                offset, length = str(first * BLOCK_BYTES), str(count * BLOCK_BYTES)
                run("fallocate", "-p", "-o", offset, "-l", length, self._image)
            first, count = block, 1

    def _fill(self) -> None:
        """Leave the host no room for what the image lacks."""
        with self._filler.open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(bytes(BLOCK_BYTES))

    def _mount(self) -> None:
        self._mounts.enter_context(mounted(self.folder, "-o", "loop", self._image))


def _blocks(path: Path) -> list[int]:
    """Return the numbers of a file's blocks on its disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        count = -(-path.stat().st_size // BLOCK_BYTES)
        answers = (fcntl.ioctl(file, FIBMAP, struct.pack("i", index)) for index in range(count))
        return [int(struct.unpack("i", answer)[0]) for answer in answers]
