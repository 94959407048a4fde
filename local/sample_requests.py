"""Sync requests for the sample pictures: sent and followed to the disk, or written to a file."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from local.client import Client, curl
from local.servers.sample_pictures import pictures
from shared.errors import ServiceError

POLL_SECONDS = 1.5
"""GET is limited to 50 a minute by default."""

PATIENCE_SECONDS = 120.0
CREATED = 201


class NotSynced(ServiceError):
    """Not every sample was synced in time."""


def request_bodies() -> Iterator[bytes]:
    """Gives a request body for each sample picture; every call gives new ones."""
    for picture in pictures():
        yield json.dumps(
            {
                "oeid": secrets.token_hex(15),
                "ref_id": str(secrets.randbelow(10**19)),
                "file_name": picture.name,
                "file_type": picture.media_type,
            },
            ensure_ascii=False,
        ).encode()


def write_requests(url: str, key: bytes, file: Path) -> int:
    """Writes a file of ready signed curl commands, one a line; gives their number."""
    lines = [curl(url, key, body) for body in request_bodies()]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(lines)


def send(client: Client, storage: Path, console: Console) -> None:
    """Sends a request for every sample, waits for the files and shows them.

    Raises:
        NotRunning: the service does not answer.
        NotSynced: a request was refused, or the files did not come.
    """
    before = client.counts()
    bodies = list(request_bodies())
    for body in track(bodies, "Sending requests", console=console):
        answer = client.post(body)
        if answer.status != CREATED:
            raise NotSynced(f"{answer.status} {answer.document}")
    wanted = before["synced_objects_count"] + len(bodies)
    deadline = time.monotonic() + PATIENCE_SECONDS
    with console.status("Waiting for the files"):
        while client.counts()["synced_objects_count"] < wanted:
            if time.monotonic() > deadline:
                raise NotSynced(f"see {client.counts()} and the log lines of the service")
            time.sleep(POLL_SECONDS)
    console.print(_table(storage))
    console.print(f"{len(bodies)} files in {storage}", soft_wrap=True, markup=False)


def _table(storage: Path) -> Table:
    table = Table("File", "Bytes", "SHA-256", "As in the bucket", box=None)
    for picture in pictures():
        content = (storage / picture.name).read_bytes()
        same = "yes" if content == picture.content else "NO"
        digest = hashlib.sha256(content).hexdigest()
        table.add_row(picture.name, f"{len(content):,}", digest, same)
    table.columns[1].justify = "right"
    for column in table.columns:
        column.no_wrap = True
    return table
