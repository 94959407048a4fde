"""moto's buckets and objects, written to disk as they change and read again at the start."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from moto.s3.models import FakeBucket, FakeDeleteMarker, FakeKey, S3Backend

from local.servers.moto_s3.content import StoredContent
from local.servers.moto_s3.folders import BucketFolder, folders_of
from local.servers.moto_s3.records import (
    Damaged,
    Record,
    describe,
    describe_acl,
    restore,
    restore_acl,
    restore_marker,
    split,
)
from local.servers.moto_s3.watched_keys import WatchedKeys

logger = logging.getLogger(__name__)

PLAIN = (
    "versioning_status",
    "payer",
    "accelerate_configuration",
    "object_lock_enabled",
    "default_lock_mode",
    "default_lock_days",
    "default_lock_years",
)
"""Attributes of a `FakeBucket` that are text, a number, a truth value or None."""


class _KeptBucket:
    """A bucket, its folder, and which contents each of its objects has there."""

    def __init__(self, bucket: FakeBucket, folder: BucketFolder) -> None:
        self.bucket = bucket
        self.folder = folder
        self.contents: dict[str, set[str]] = {}
        self.settings: dict[str, Record] = {}
        self.keys = WatchedKeys()
        bucket.keys = self.keys


class Store:
    """Keep a folder the same as moto's S3.

    Args:
        folder: where the buckets' folders are; made if missing.
        backend: moto's S3.
    """

    def __init__(self, folder: Path, backend: S3Backend) -> None:
        self._folder = folder
        self._backend = backend
        self._kept: dict[str, _KeptBucket] = {}
        self._lock = threading.Lock()

    def load(self) -> Iterator[Record]:
        """Fill moto's S3, which is empty, with what the folder has.

        Yields:
            The requests by which buckets were configured, to be made once more.
        """
        found: list[tuple[BucketFolder, Record]] = []
        for folder in folders_of(self._folder):
            record = folder.read_bucket()
            if record is None:
                logger.warning("no bucket", extra={"folder": str(folder.path)})
            else:
                found.append((folder, record))
        for folder, record in sorted(found, key=lambda pair: pair[1]["created"]):
            folder.make()
            kept = self._load_bucket(folder, record)
            yield from kept.settings.values()

    def sync(
        self, bucket: str, name: str, setting: tuple[str, Record | None] | None = None
    ) -> None:
        """Write down what a request changed.

        Args:
            bucket: the bucket that it named.
            name: the object that it named, or "".
            setting: which setting of the bucket it changed and the request, None where it removed
                the setting.

        Raises:
            OSError: it cannot be written.
        """
        with self._lock:
            self._forget_removed()
            for live in list(self._backend.buckets.values()):
                kept = self._kept.get(live.name) or self._keep(live)
                names = dict.fromkeys(kept.keys.take_changed())
                if live.name == bucket:
                    if name:
                        names[name] = None
                    else:
                        self._write_bucket(kept, setting)
                self._write_objects(kept, list(names))

    def _forget_removed(self) -> None:
        for name, kept in list(self._kept.items()):
            if self._backend.buckets.get(name) is not kept.bucket:
                kept.folder.remove()
                del self._kept[name]

    def _keep(self, bucket: FakeBucket) -> _KeptBucket:
        folder = BucketFolder.of(self._folder, bucket.name)
        folder.make()
        kept = _KeptBucket(bucket, folder)
        self._write_bucket(kept, None)
        self._kept[bucket.name] = kept
        return kept

    def _write_bucket(self, kept: _KeptBucket, setting: tuple[str, Record | None] | None) -> None:
        if setting:
            which, request = setting
            if request:
                kept.settings[which] = request
            else:
                kept.settings.pop(which, None)
        bucket = kept.bucket
        kept.folder.write_bucket(
            {
                "name": bucket.name,
                "region": bucket.region_name,
                "created": bucket.creation_date.isoformat(),
                **{name: getattr(bucket, name) for name in PLAIN},
                "acl": describe_acl(bucket.acl),
                "settings": kept.settings,
            }
        )

    def _write_objects(self, kept: _KeptBucket, names: list[str]) -> None:
        """Write objects; those that cannot be written now are written by the next request."""
        for index, name in enumerate(names):
            try:
                self._write_object(kept, name)
            except OSError:
                kept.keys.changed.extend(names[index:])
                raise
            except ValueError:
                # moto has closed the content: another request replaced the object, and writes it.
                logger.debug("replaced meanwhile", extra={"key": name})

    def _write_object(self, kept: _KeptBucket, name: str) -> None:
        versions = list(kept.keys.getlist(name, ()))
        before = kept.contents.get(name, set())
        if versions:
            after = {path.name for path in self._write_contents(kept.folder, versions)}
            described = [describe(self._backend, version) for version in versions]
            kept.folder.write_object(name, {"name": name, "versions": described})
            kept.contents[name] = after
        else:
            after = set()
            kept.folder.remove_object(name)
            kept.contents.pop(name, None)
        for unused in before - after:
            (kept.folder.contents / unused).unlink(missing_ok=True)

    @staticmethod
    def _write_contents(
        folder: BucketFolder, versions: Iterable[FakeKey | FakeDeleteMarker]
    ) -> Iterator[Path]:
        """Move contents from moto's memory into files, and yield every file."""
        for version in versions:
            if not isinstance(version, FakeKey):
                continue
            buffer: Any = version._value_buffer
            if not isinstance(buffer, StoredContent):
                with version.lock:
                    path = folder.write_content(buffer)
                    _ = version.etag  # computed from the buffer, unless it is known
                    stored = StoredContent(path, version.size)
                    version._value_buffer = stored  # type: ignore[assignment]
                split(version, path)
                buffer.close()
                buffer = stored
            yield buffer.path

    def _load_bucket(self, folder: BucketFolder, record: Record) -> _KeptBucket:
        bucket = self._backend.create_bucket(record["name"], record["region"])
        kept = _KeptBucket(bucket, folder)
        self._kept[bucket.name] = kept
        bucket.creation_date = datetime.fromisoformat(record["created"])
        for name in PLAIN:
            setattr(bucket, name, record[name])
        bucket.acl = restore_acl(record["acl"])
        kept.settings = record["settings"]
        for path, described in folder.read_objects():
            try:
                if described is None:
                    raise Damaged(f"{path} is incomplete")  # noqa: TRY301 - is handled like the rest
                self._load_object(kept, described)
            except (Damaged, KeyError) as error:
                logger.warning("object left out", extra={"reason": str(error), "file": str(path)})
        folder.keep_contents(set().union(*kept.contents.values()))
        kept.keys.changed.clear()
        return kept

    def _load_object(self, kept: _KeptBucket, described: Record) -> None:
        name = described["name"]
        versions: list[FakeKey | FakeDeleteMarker] = []
        for record in described["versions"]:
            if "marker" in record:
                if versions:
                    versions.append(restore_marker(record, versions[-1]))
            else:
                versions.append(
                    restore(self._backend, kept.bucket, name, record, kept.folder.contents)
                )
        kept.keys.setlist(name, versions)
        kept.contents[name] = {r["content"] for r in described["versions"] if "content" in r}
