"""A real store that tells of its objects: what it sends, from its configuration to the files."""

from __future__ import annotations

import io
import random
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig

from bench.objects import BUCKET
from tests.docs.pages import blocks
from tests.faults.harness.real_stores import client, seaweedfs
from tests.helpers.paths import ROOT
from tests.helpers.servers import free_port, query
from tests.helpers.service import Service
from tests.helpers.waiting import until

SECRET = "the secret that the store sends"
MIB = 1 << 20
CHANCE = random.Random(1)
PARTS = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)


class Told:
    """A store that tells a service of its objects."""

    def __init__(self, service: Service, url: str, s3: Any) -> None:
        self.service, self.s3, self._url = service, s3, url

    def has(self, expected: Mapping[str, bytes]) -> None:
        """Wait until the storage has these files, and make sure that nothing failed."""

        def complete() -> bool:
            found = self.service.files()
            return {name: found.get(name) for name in expected} == expected

        until(complete, seconds=60)
        until(lambda: not self.rows("queued"), seconds=60)
        assert self.rows("failed") == []

    def rows(self, state: str) -> list[str]:
        sql = f"SELECT file_name FROM file_sync WHERE state = '{state}' AND origin = 's3_event'"
        return [name for (name,) in query(self._url, sql)]


@pytest.fixture
def told(tmp_path: Path, database_url: str) -> Iterator[Told]:
    """SeaweedFS, configured as the page says."""
    home, port = tmp_path / "home", free_port()
    home.mkdir()
    [page] = blocks(ROOT / "docs" / "s3_events.md", "toml")
    notification = re.sub("https://sync.example.org", f"http://127.0.0.1:{port}", page)
    notification = notification.replace("the secret", SECRET).replace("client-uploads", BUCKET)
    with seaweedfs(tmp_path, {}, notification) as store:
        variables = {**store.variables(home), "S3_EVENTS_SECRET": SECRET, "SCHEDULE_SECONDS": "1"}
        del variables["STORAGE_PATH"]
        service = Service(home, port, {**variables, "DATABASE_URL": database_url})
        service.start()
        try:
            yield Told(service, database_url, client(store, home))
        finally:
            service.stop()


@pytest.mark.faults
def test_what_seaweedfs_tells_of_is_copied(told: Told) -> None:
    files = {
        "a.txt": b"a",
        "dir/a b+ü%2F.jpg": b"odd",
        "empty": b"",
        "big.bin": CHANCE.randbytes(9 * MIB),
    }
    for key, content in files.items():
        told.s3.put_object(Bucket=BUCKET, Key=key, Body=content)
    files["parts.bin"] = CHANCE.randbytes(13 * MIB)
    told.s3.upload_fileobj(io.BytesIO(files["parts.bin"]), BUCKET, "parts.bin", Config=PARTS)
    told.s3.put_object(Bucket=BUCKET, Key="folder/", Body=b"")
    told.s3.put_object(Bucket=BUCKET, Key="gone", Body=b"gone")
    told.has({"gone": b"gone"})
    told.s3.delete_object(Bucket=BUCKET, Key="gone")
    told.has(files)
    copies = {name for name in told.service.files() if not name.startswith(".incoming/")}
    assert copies == {*files, "gone"}
    for content in (b"another", b"a", b"another"):  # a version that comes back
        told.s3.put_object(Bucket=BUCKET, Key="a.txt", Body=content)
        told.has({**files, "a.txt": content})
    assert len(told.rows("synced")) == len(files) + 2


@pytest.mark.faults
def test_of_a_seaweedfs_with_versions_the_latest_is_copied(told: Told) -> None:
    told.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    for content in (b"first", b"second", b"first"):
        told.s3.put_object(Bucket=BUCKET, Key="dir/v.txt", Body=content)
        told.has({"dir/v.txt": content})
    told.s3.delete_object(Bucket=BUCKET, Key="dir/v.txt")
    told.s3.put_object(Bucket=BUCKET, Key="after.txt", Body=b"after")
    told.has({"dir/v.txt": b"first", "after.txt": b"after"})
