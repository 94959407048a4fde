"""The control request: a store that has a key must not have one that was just made up."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from http import HTTPStatus
from uuid import uuid4

from shared.errors import NotAnObjectStore, RetryLater, TransferError
from shared.sources.s3 import evidence, refusals
from shared.sources.s3.location import SignedUrl
from shared.sources.s3.transport import CHECKSUMS_WANTED, CONTENT, Transport

Waiter = Callable[[Exception | None], None]
"""Called with the outcome of a control request; None if the made-up key was refused."""


class Controls:
    """Asks for made-up neighbors of objects; on the transport's thread alone.

    A web server that answers every path with its start page, or a gateway with its JSON, answers
    this one, too; and a store that sends ids refuses it with one, where a filter put its page in
    the object's place.

    What answers so does it for every name of a folder with that ending. So one request serves all
    objects of a folder and ending whose heads had come before it was sent. The others share the
    next one: meanwhile, the server may have begun to answer with its start page.

    Args:
        transport: sends the requests.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._due: dict[tuple[str, str], list[tuple[SignedUrl, Waiter]]] = {}
        self._running: set[tuple[str, str]] = set()

    def ask(self, target: SignedUrl, waiter: Waiter) -> None:
        """Have a neighbor of an object asked for, and its waiter called with the outcome.

        Args:
            target: an object whose head has come.
            waiter: must not raise.
        """
        group = _group(target)
        waiting = self._due.setdefault(group, [])
        waiting.append((target, waiter))
        if len(waiting) == 1 and group not in self._running:
            # Not at once: a head may not send, and more may come in this turn.
            self._transport.call(lambda: self._send(group))

    def _send(self, group: tuple[str, str]) -> None:
        waiting = self._due.pop(group)
        self._running.add(group)

        def on_outcome(error: Exception | None) -> None:
            self._running.discard(group)
            if group in self._due:
                self._transport.call(lambda: self._send(group))
            for _, waiter in waiting:
                waiter(copy(error))  # each raises its own

        target = made_up(waiting[0][0])
        try:
            self._transport.get(target, [CHECKSUMS_WANTED, *target.headers], _Response(on_outcome))
        except Exception as error:  # noqa: BLE001 - the waiters raise it
            on_outcome(error)


class _Response:
    """The response to one control request; see `ResponseHandler`."""

    def __init__(self, on_outcome: Waiter) -> None:
        self._on_outcome = on_outcome
        self._status = 0
        self._headers: dict[str, str] = {}
        self._document = b""

    def on_head(self, status: int, headers: dict[str, str]) -> bool:
        """See `ResponseHandler`; a body in place of a refusal is not waited for."""
        self._status, self._headers = status, headers
        return status not in CONTENT

    def on_body(self, data: bytes) -> bool:
        """See `ResponseHandler`."""
        if len(self._document) < refusals.MAX_DOCUMENT_BYTES:
            self._document += data
        return True

    def on_end(self, error: RetryLater | None) -> None:
        """See `ResponseHandler`."""
        self._on_outcome(self._fault(error))

    def _fault(self, error: RetryLater | None) -> TransferError | None:
        shown = evidence.described(self._status, self._headers)
        if self._status in CONTENT:
            return NotAnObjectStore(f"it has a key that was just made up ({shown})")
        if error is not None:
            return error
        if self._status < HTTPStatus.BAD_REQUEST:
            return NotAnObjectStore(shown)
        if self._status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return refusals.refusal(self._status, self._document, within_grace=True)
        if evidence.has_id(self._headers):
            return NotAnObjectStore(f"no id came, but the store would send one ({shown})")
        return None


def made_up(target: SignedUrl) -> SignedUrl:
    """Return the address of a neighbor, in the same folder and with the same ending."""
    folder, _, name = target.url.rpartition("/")
    return replace(target, url=f"{folder}/{uuid4().hex}-{name}")


def _group(target: SignedUrl) -> tuple[str, str]:
    """Return the server and folder of an object, and the ending of its name."""
    folder, _, name = target.url.rpartition("/")
    return folder, name.rpartition(".")[2] if "." in name else ""
