"""The service on a bucket of its own that a real store serves, and commands typed beside it."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable
from pathlib import Path

from bench.objects import BUCKET, ObjectServer
from tests.faults.harness.real_stores import client
from tests.helpers.project import environment
from tests.helpers.servers import execute, free_port, query
from tests.helpers.service import Service
from tests.helpers.typed import typed
from tests.helpers.waiting import until

COMMAND_SECONDS = 600.0
ROWS = """
INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id)
SELECT 'o', 'r', name, 'image/jpeg', sha256(name::bytea), 'q' FROM unnest(%s::text[]) AS name
"""


def names(kind: str, number: int) -> list[str]:
    """Return so many object names, as many in a folder as people have."""
    return [f"{kind}/{n // 1000}/{n} ü.jpg" for n in range(number)]


def body(name: str) -> bytes:
    """Return an object's content."""
    return random.Random(name).randbytes(2_000)


def array(texts: list[str]) -> str:
    """Return an SQL literal."""
    return "ARRAY[" + ",".join(f"'{text}'" for text in texts) + "]"


class Installation:
    """A service with its bucket, ledger and storage."""

    def __init__(self, folder: Path, store: ObjectServer, url: str) -> None:
        variables = {**store.variables(folder), "SCHEDULE_SECONDS": "1"}
        del variables["STORAGE_PATH"]
        self.folder = folder
        self._s3 = client(store, folder)
        self._port = free_port()
        self._given = {**variables, "MISSING_OBJECT_SECONDS": "1"}
        self.use(url)

    def use(self, url: str) -> None:
        """Take another ledger; the service must not run."""
        self.url = url
        self.service = Service(self.folder, self._port, {**self._given, "DATABASE_URL": url})
        self.storage = self.service.storage
        self.variables = {
            **self._given,
            **environment(HOME=str(self.folder)),
            "DATABASE_URL": url,
            "STORAGE_PATH": str(self.storage),
            "PORT": str(self._port),
            "DATA_DIR": str(self.folder / "data"),
        }

    def upload(self, keys: list[str]) -> None:
        """Put objects into the bucket that the store has looked for before."""
        for key in keys:
            self._s3.put_object(Bucket=BUCKET, Key=key, Body=body(key))

    def typed(self, command: str) -> str:
        """Return what a command prints."""
        return typed(command, self.folder, self.variables, COMMAND_SECONDS)

    def request(self, keys: Iterable[str]) -> None:
        """Record requests as a client's would be."""
        execute(self.url, ROWS % array(list(keys)))

    def count(self, condition: str) -> int:
        """Count rows."""
        return int(query(self.url, f"SELECT count(*) FROM file_sync WHERE {condition}")[0][0])

    def settle(self) -> None:
        """Wait until nothing is queued."""
        until(lambda: not self.count("state = 'queued'"), seconds=900)


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and ".incoming" not in path.parts
    }
