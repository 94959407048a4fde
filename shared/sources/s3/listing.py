"""Listing a bucket (ListObjectsV2) over the transport that downloads use."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from urllib.parse import quote

from shared.config.settings import Settings, needed
from shared.errors import (
    AccessRefused,
    ContentMismatch,
    NotAnObjectStore,
    ObjectMissing,
    RetryLater,
    SourceUnavailable,
    TransferError,
)
from shared.sources.listing import Page
from shared.sources.s3 import evidence, refusals
from shared.sources.s3.list_page import read_page
from shared.sources.s3.location import Location, SignedUrl
from shared.sources.s3.remedies import Kind, remedy_for
from shared.sources.s3.transport import Transport

logger = logging.getLogger(__name__)

PAGE_KEYS = 1_000
"""Keys in a page: the most that S3 sends."""

MOST_BYTES = 32 * 1024 * 1024
"""Of a page. A thousand keys of 1,024 bytes, each percent-encoded, are some 3 MB."""

ANSWER_SECONDS = 60.0
"""A page that takes longer will not come; a connection that stalls is given up earlier."""

RETRY_SECONDS = (0.2, 1.0, 3.0)
"""Before another attempt at a page; after the last one the caller has to wait."""

LAST_RETRY_SECONDS = 30.0
"""An attempt that begins later could take longer than the lease of a run."""

CONNECTIONS = 1


class S3Listing:
    """Lists one bucket, a page at a time.

    Args:
        settings: the bucket, and how it is reached.
        sleep: waits for a number of seconds.

    Attributes:
        bucket: its name.

    Raises:
        SettingError: see `Location`.
    """

    def __init__(self, settings: Settings, sleep: Callable[[float], object] = time.sleep) -> None:
        self.bucket = needed(settings.bucket, "AWS_S3_BUCKET_NAME")
        self._location = Location(settings)
        self._transport = Transport(CONNECTIONS, settings.source_stall_seconds)
        self._sleep = sleep
        self._ahead: _Asked | None = None

    def page(self, prefix: str, token: str | None = None, after: str | None = None) -> Page:
        """See `Listing.page`; what may be passing is tried again."""
        begun = time.monotonic()
        for seconds in RETRY_SECONDS:
            try:
                return self._page(prefix, token, after)
            except (SourceUnavailable, ContentMismatch) as error:
                if time.monotonic() - begun + seconds > LAST_RETRY_SECONDS:
                    raise
                logger.info("listing tried again", extra={"reason": str(error)})
                self._sleep(seconds)
        return self._page(prefix, token, after)

    def expect(self, prefix: str, token: str) -> None:
        """See `Listing.expect`."""
        self._forget()
        # What hinders it is tried again, and raised, when the page is wanted.
        with suppress(TransferError):
            self._ahead = self._ask(prefix, token, None)

    def has(self, key: str) -> bool:
        """See `Listing.has`; of all keys that begin so, this very one comes first.

        That is the order of AWS; a store that has another may list some that are longer before it.
        """
        token: str | None = None
        while True:
            page = self.page(key, token)
            if any(listed.key == key for listed in page.objects):
                return True
            token = page.token
            if token is None:
                return False

    def close(self) -> None:
        """See `Listing.close`."""
        self._transport.close()

    def _page(self, prefix: str, token: str | None, after: str | None) -> Page:
        if token is not None:
            after = None  # the token says where to go on
        tried: set[Kind] = set()
        if self._ahead is not None and self._ahead.wanted != (prefix, token, after):
            self._forget()
        asked, self._ahead = self._ahead, None
        while True:
            asked = asked or self._ask(prefix, token, after)
            answer = asked.answer
            if not answer.ended.wait(ANSWER_SECONDS):
                self._abort(asked)
                raise SourceUnavailable("it did not answer in time, or too slowly")
            if answer.error is not None:
                raise answer.error
            if answer.status == HTTPStatus.OK:
                return read_page(b"".join(answer.body), prefix, token)
            self._remedy(asked.target, answer, tried)
            asked = None

    def _ask(self, prefix: str, token: str | None, after: str | None) -> _Asked:
        target = self._location.listing_url(_query(prefix, token, after))
        answer = _Answer()
        self._transport.call(partial(self._transport.get, target, [*target.headers], answer))
        return _Asked((prefix, token, after), target, answer)

    def _abort(self, asked: _Asked) -> None:
        self._transport.call(partial(self._transport.abort, asked.answer))

    def _forget(self) -> None:
        if self._ahead is not None:
            self._abort(self._ahead)
            self._ahead = None

    def _remedy(self, target: SignedUrl, answer: _Answer, tried: set[Kind]) -> None:
        """Change what a refusal shows to be outdated; raise what it means otherwise."""
        document = b"".join(answer.body)
        remedy = remedy_for(self._location, target, answer.status, answer.headers, document)
        if remedy is not None and remedy.kind not in tried:
            tried.add(remedy.kind)
            if remedy.apply():
                return
        raise _refusal(answer.status, answer.headers, document)


def _query(prefix: str, token: str | None, after: str | None) -> str:
    parameters = {
        "encoding-type": "url",  # XML has no control characters
        "list-type": "2",
        "max-keys": str(PAGE_KEYS),
        "prefix": prefix,
    }
    if token is not None:
        parameters["continuation-token"] = token
    elif after is not None:
        parameters["start-after"] = after
    return "&".join(f"{n}={_quoted(parameters[n])}" for n in sorted(parameters))


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="surrogateescape")


def _refusal(status: int, headers: dict[str, str], document: bytes) -> TransferError:
    if not evidence.is_refusal(status, headers, document):
        return NotAnObjectStore(evidence.described(status, headers))
    error = refusals.refusal(status, document, within_grace=False)
    shown = f"{status} {refusals.code_of(document)}".strip()
    if isinstance(error, AccessRefused):
        return AccessRefused(f"s3:ListBucket is not granted on the bucket ({shown})")
    if isinstance(error, ObjectMissing):
        return SourceUnavailable(f"it has no such listing ({shown})")
    return error if isinstance(error, RetryLater) else SourceUnavailable(f"it answered {shown}")


class _Answer:
    """The handler of one page's response; see `ResponseHandler`."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body: list[bytes] = []
        self.error: RetryLater | None = None
        self.ended = threading.Event()
        self._size = 0

    def on_head(self, status: int, headers: dict[str, str]) -> bool:
        """See `ResponseHandler`."""
        self.status, self.headers = status, headers
        return True

    def on_body(self, data: bytes) -> bool:
        """See `ResponseHandler`."""
        self.body.append(data)
        self._size += len(data)
        return self._size <= MOST_BYTES

    def on_end(self, error: RetryLater | None) -> None:
        """See `ResponseHandler`."""
        if self._size > MOST_BYTES:
            error = NotAnObjectStore("its answer to a listing has no end")
        self.error = error
        self.ended.set()


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request for a page, and its answer, which may have come or not."""

    wanted: tuple[str, str | None, str | None]
    target: SignedUrl
    answer: _Answer
