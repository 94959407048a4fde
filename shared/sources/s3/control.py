"""The control request: a store that has a key must not have one that was just made up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from uuid import uuid4

from shared.errors import NotAnObjectStore, RetryLater
from shared.sources.s3 import evidence, refusals
from shared.sources.s3.connections import Connections
from shared.sources.s3.job import Job
from shared.sources.s3.location import SignedUrl
from shared.sources.s3.stream import Stream


class ControlRequest:
    """Asks for a made-up neighbor of an object; on the transport's thread alone.

    A web server that answers every path with its start page, or a gateway with its JSON, answers
    this one, too; and a store that sends ids refuses it with one, where a filter put its page in
    the object's place.

    Args:
        job: the download; it ends with `NotAnObjectStore` where the key is answered.
        connections: its streams.
        then: called once the key was refused.
    """

    def __init__(self, job: Job, connections: Connections, then: Callable[[], None]) -> None:
        self._job, self._connections, self._then = job, connections, then

    def send(self) -> None:
        """Send it; see `Transport.get` for where this may be called."""
        stream = Stream(self._job, self._on_content, self._on_end)
        self._connections.open(stream, target=made_up(self._connections.target))

    def _on_content(self, stream: Stream) -> bool:
        shown = evidence.described(stream.status, stream.headers)
        raise NotAnObjectStore(f"it has a key that was just made up ({shown})")

    def _on_end(self, stream: Stream, error: RetryLater | None) -> None:
        self._connections.ended(stream)
        if not self._job.going:
            return
        if error is not None:
            raise error
        shown = evidence.described(stream.status, stream.headers)
        if stream.status < HTTPStatus.BAD_REQUEST:
            raise NotAnObjectStore(shown)
        if stream.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise refusals.refusal(stream.status, stream.document, within_grace=True)
        if evidence.has_id(stream.headers):
            raise NotAnObjectStore(f"no id came, but the store would send one ({shown})")
        self._then()


def made_up(target: SignedUrl) -> SignedUrl:
    """Return the address of a neighbor, in the same folder and with the same ending."""
    folder, _, name = target.url.rpartition("/")
    return replace(target, url=f"{folder}/{uuid4().hex}-{name}")
