"""The files of a bucket: one for itself, one for each object, one for each content."""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

LONGEST_NAME = 200
REMOVED = "%removed-"
"""The prefix of a folder that is being removed; no quoted name of a bucket has it."""


def folders_of(store: Path) -> list[BucketFolder]:
    """Return the buckets' folders, once what an earlier process did not remove is gone."""
    store.mkdir(parents=True, exist_ok=True)
    for path in store.glob(f"{REMOVED}*"):
        shutil.rmtree(path)
    return [BucketFolder(path) for path in store.iterdir()]


class BucketFolder:
    """A bucket's folder. Whatever happens to the process, each file in it is whole or absent.

    Nothing is forced to the disk (fsync): a power cut may cost the last seconds.

    Args:
        path: the folder; made if missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.contents = path / "contents"
        self._objects = path / "objects"
        self._drafts = path / "drafts"

    @classmethod
    def of(cls, store: Path, bucket: str) -> BucketFolder:
        """Return the folder of a bucket below the store's."""
        name = quote(bucket, safe="")
        if len(name) > LONGEST_NAME:
            name = hashlib.sha256(bucket.encode()).hexdigest()
        return cls(store / name)

    def make(self) -> None:
        """Make the folder, without what an earlier process did not finish."""
        shutil.rmtree(self._drafts, ignore_errors=True)
        for folder in (self.contents, self._objects, self._drafts):
            folder.mkdir(parents=True, exist_ok=True)

    def remove(self) -> None:
        """Remove it with everything in it, at one stroke: no part of it comes back."""
        shutil.rmtree(self.path.rename(self.path.with_name(f"{REMOVED}{uuid.uuid4().hex}")))

    def read_bucket(self) -> dict[str, Any] | None:
        """Return what was written of the bucket, or None where that is nothing."""
        return _read(self.path / "bucket.json")

    def write_bucket(self, record: dict[str, Any]) -> None:
        """Replace what was written of the bucket."""
        self._replace(self.path / "bucket.json", record)

    def read_objects(self) -> Iterator[tuple[Path, dict[str, Any] | None]]:
        """Yield each object's file and what is written there, None where that is nothing."""
        for path in self._objects.iterdir():
            yield path, _read(path)

    def write_object(self, name: str, record: dict[str, Any]) -> None:
        """Replace what was written of an object."""
        self._replace(self._object(name), record)

    def remove_object(self, name: str) -> None:
        """Forget an object."""
        self._object(name).unlink(missing_ok=True)

    def write_content(self, buffer: Any) -> Path:
        """Return a new file with everything that is in a buffer."""
        draft = self._drafts / uuid.uuid4().hex
        with draft.open("wb") as file:
            buffer.seek(0)
            shutil.copyfileobj(buffer, file, 1 << 20)
        return draft.rename(self.contents / draft.name)

    def keep_contents(self, names: set[str]) -> None:
        """Remove every content that no object refers to."""
        for path in self.contents.iterdir():
            if path.name not in names:
                path.unlink()

    def _object(self, name: str) -> Path:
        # A key may be longer than a file's name, and differ from another by case alone.
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
        return self._objects / f"{digest}.json"

    def _replace(self, path: Path, record: dict[str, Any]) -> None:
        draft = self._drafts / uuid.uuid4().hex
        draft.write_text(json.dumps(record), encoding="ascii")
        draft.replace(path)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return content if isinstance(content, dict) else None
