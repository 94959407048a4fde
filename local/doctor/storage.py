"""The storage: present, ours, with free space, and how its file system treats files and names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from local.doctor.finding import Finding, ok, problem, skipped, warning
from local.status import Space
from shared import adapters
from shared.config.settings import Settings
from shared.errors import LedgerUnavailable, StorageForeign, TransferError
from shared.ledger.ledger import Ledger
from shared.storage.local import LocalStorage

MIB = 1024 * 1024
LEAST_BYTES = 100 * MIB
"""Less is practically full: part files of large objects need space beside the finished files."""

LEAST_FILES = 1_000
SCARCE = 0.05
"""Free fraction of the file system's space below which there is a warning."""


def examine(settings: Settings, folder: Path, *, required: bool = True) -> Iterator[Finding]:
    """Yield the findings about the storage.

    Args:
        settings: with the URL of the ledger that it belongs to.
        folder: where the files are.
        required: whether it must exist, and is not created at the first start.
    """
    if not required and settings.storage_path is None and not folder.exists():
        yield skipped("storage", f"{folder} is created at the first start")
        return
    if not folder.is_dir():
        yield problem("storage", f"{folder} is not a folder", "mount it, or correct STORAGE_PATH")
        return
    yield from _space(folder)
    if settings.database_url is None:
        yield skipped("storage owner", "it is recorded in PostgreSQL, which is not set up")
        return
    with closing(adapters.ledger(settings)) as ledger:
        yield from _owned(settings, ledger)


def _space(folder: Path) -> Iterator[Finding]:
    space = Space.of(folder)
    free = f"{space.free_bytes // MIB:,} MiB of {space.total_bytes // MIB:,} MiB free"
    if space.free_bytes < LEAST_BYTES:
        yield problem("storage space", free, "free space on it, or move it to a larger disk")
    elif space.free_bytes < SCARCE * space.total_bytes:
        yield warning("storage space", free, "free space on it before it is full")
    else:
        yield ok("storage space", free)
    if space.free_inodes is None:
        yield ok("storage inodes", "the file system sets no limit")
    elif space.free_inodes < LEAST_FILES:
        yield problem(
            "storage inodes",
            f"{space.free_inodes:,} more files",
            "remove files, or use a file system with more inodes",
        )
    else:
        yield ok("storage inodes", f"{space.free_inodes:,} more files")


def _owned(settings: Settings, ledger: Ledger) -> Iterator[Finding]:
    with closing(adapters.storage(settings, ledger)) as storage:
        try:
            examined = storage.examine()
        except StorageForeign as error:
            yield problem("storage owner", str(error), "mount it, or run ./sync adopt-storage")
            return
        except LedgerUnavailable as error:
            yield skipped("storage owner", f"it is recorded in the ledger: {error}")
            return
        except TransferError as error:
            yield problem("storage", str(error), "make it writable for this account")
            return
        if examined is None:
            yield ok("storage owner", "none yet: the first worker sets it")
            return
        yield ok("storage owner", "this installation")
        yield _writable(storage)
    capabilities, names = examined
    if capabilities.lacks:
        yield warning(
            "file system",
            f"{capabilities.kind}: {'; '.join(capabilities.lacks)}",
            "docs/file_systems.md explains what that means for the files",
        )
    else:
        yield ok("file system", f"{capabilities.kind} has everything that the guarantees need")
    if names.spelling.folds:
        yield warning(
            "file names",
            "the file system treats some different names as the same (case, or Unicode forms)",
            "use one that does not, or expect objects to fail because their names collide",
        )
    elif names.strict:
        yield warning(
            "file names",
            "the file system refuses or changes some names",
            "use another one, or expect objects to fail because of their names",
        )
    else:
        yield ok("file names", "kept unchanged")


def _writable(storage: LocalStorage) -> Finding:
    error = storage.check()
    if error is not None:
        return problem("storage", str(error), "free space on it, or make it writable")
    return ok("storage", "writable")
