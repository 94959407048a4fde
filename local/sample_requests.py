"""Requests for the sample pictures: sent and followed to the disk, or written to a file."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from local.client import Client, GivenUp, curl, proxied
from local.servers.sample_pictures import pictures
from shared.errors import ServiceError

FILES_SECONDS = 120.0
"""How long the files are waited for after the last request."""

ACCEPTED = frozenset({201, 409})
"""409 answers a request whose first answer was lost: `Location` tells what became of it."""

WAITING = frozenset({"queued", "retrying"})

MOST_REASONS = 3
"""Different reasons that are shown of failures."""


class NotSynced(ServiceError):
    """Not every sample was synced."""


class FileNotWritten(ServiceError):
    """The file cannot be written."""


def request_bodies() -> Iterator[bytes]:
    """Yield a request body for each sample picture; every call makes new ones."""
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
    """Write a file of ready signed curl commands, one a line, and return their number.

    Raises:
        FileNotWritten: it cannot be written.
    """
    through_proxy = proxied(url)
    lines = [curl(url, key, body, proxied=through_proxy) for body in request_bodies()]
    try:
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise FileNotWritten(f"{file}: {error.strerror}") from error
    return len(lines)


def send(
    client: Client, storage: Path, console: Console, files_seconds: float = FILES_SECONDS
) -> None:
    """Send a request for every sample, wait for the files and show them.

    Args:
        client: the client to send with.
        storage: folder the files are written to.
        console: where to show progress and result.
        files_seconds: how long to wait for the files.

    Raises:
        NotRunning: the service does not answer.
        GivenUp: the service could not accept a request for too long.
        NotSynced: a request was refused, a copy failed, or the files were not written in time.
    """
    bodies = list(request_bodies())
    locations = []
    for body in track(bodies, "Sending requests", console=console, transient=True):
        answer = client.post(body)
        if answer.status not in ACCEPTED:
            raise NotSynced(f"the request was answered {answer.shown}")
        locations.append(answer.headers["location"])
    with console.status("Waiting for the files"):
        _wait(client, locations, files_seconds)
    console.print(_table(storage))
    console.print(f"{len(bodies)} files in {storage}", soft_wrap=True, markup=False)


def _wait(client: Client, locations: Sequence[str], seconds: float) -> None:
    """Return once every request is synced.

    Raises:
        NotSynced: some failed, or the time is over.
    """
    deadline = time.monotonic() + seconds
    waiting, reasons = list(locations), []
    while True:
        try:
            found = [(location, client.status(location)) for location in waiting]
        except GivenUp as error:
            raise NotSynced(f"the requests were accepted, but {error}") from error
        states = [(location, answer.document["state"], answer) for location, answer in found]
        reasons += [a.document["reason"] for _, s, a in states if s not in {*WAITING, "synced"}]
        waiting = [location for location, state, _ in states if state in WAITING]
        synced = len(locations) - len(waiting) - len(reasons)
        progress = f"{synced} of {len(locations)} synced, {len(reasons)} failed"
        if not waiting:
            break
        if time.monotonic() > deadline:
            raise NotSynced(
                f"{progress} after {seconds:.0f} s;"
                " the admin and the service's log show why, and it keeps retrying"
            )
        time.sleep(min(a.retry_after for _, s, a in states if s in WAITING))
    if reasons:
        shown = list(dict.fromkeys(reasons))[:MOST_REASONS]
        raise NotSynced(f"{progress}: {'; '.join(shown)}")


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
