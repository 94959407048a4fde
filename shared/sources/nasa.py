"""The demonstration: a random photo of the Curiosity rover in place of each object."""

from __future__ import annotations

import hashlib
import logging
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from shared.config.settings import Settings, environment
from shared.domain import Fetched, Progress, Wanted
from shared.errors import (
    ContentMismatch,
    CredentialsRefused,
    OutOfTime,
    SourceUnavailable,
    TransferError,
)
from shared.proxies import proxy_for
from shared.sources.outcome import settle
from shared.sources.part_file import PartFile
from shared.storage.os_errors import from_os_error

logger = logging.getLogger(__name__)

LIST_SECONDS = 1800
"""The list of photos is kept for half an hour, as in the original: DEMO_KEY allows 30 requests
an hour (NASA, api.nasa.gov, rate limits)."""

PAUSE_SECONDS = 60
"""An API that refuses, or is unreachable, is not asked again before this, however many objects
wait for it."""

SOL = 1000
"""The Martian day that the original takes its photos from."""

CHUNK_BYTES = 65_536

CONNECT_SECONDS = 10

CLOSED = "the worker is shutting down"

THREADS = 16
"""Each copies one photo at a time."""


class NasaSource:
    """Copies a random photo for every wanted object, whatever its name; see `ObjectSource`.

    Args:
        settings: the API's address and key, and the limits.
        pick: chooses one of the URLs of the list; at random where None.
        clock: seconds that only grow, for the age of the list.
    """

    def __init__(
        self,
        settings: Settings,
        pick: Callable[[list[str]], str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url, self._key = settings.nasa_api_url, settings.nasa_api_key
        self._timeout = (CONNECT_SECONDS, settings.source_stall_seconds)
        self._pick = pick or random.choice
        self._clock = clock
        self._lock = threading.Lock()
        self._photos: list[str] = []
        self._listed_at = 0.0
        self._refusal: TransferError | None = None
        self._refused_at = 0.0
        self._closing = threading.Event()
        # At DEBUG urllib3 logs every URL, and the API's holds the key.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)
        self._session = requests.Session()
        # Proxies are `shared.proxies`' to find, and no password of ~/.netrc is for these servers;
        # of what requests itself reads there remain the certificates to trust.
        self._session.trust_env = False
        self._session.verify = environment().get("REQUESTS_CA_BUNDLE") or True
        self._session.mount("http", requests.adapters.HTTPAdapter(pool_maxsize=THREADS))
        self._pool = ThreadPoolExecutor(min(settings.sync_concurrency, THREADS), "nasa")

    def warm_up(self) -> None:
        """Do nothing: the list of photos is loaded with the first copy."""

    def fetch(self, wanted: Wanted, part: Path) -> Future[Fetched]:
        """See `ObjectSource.fetch`."""
        future: Future[Fetched] = Future()
        if self._closing.is_set():
            future.set_exception(OutOfTime(CLOSED))
        else:
            self._pool.submit(self._run, future, wanted, part)
        return future

    def close(self) -> None:
        """See `ObjectSource.close`."""
        self._closing.set()
        self._pool.shutdown()
        self._session.close()

    def _run(self, future: Future[Fetched], wanted: Wanted, part: Path) -> None:
        try:
            outcome: Fetched | TransferError = self._copy(future, wanted.progress, part)
        except TransferError as error:
            outcome = error
        except requests.RequestException as error:
            outcome = _as_transfer_error(error)
        except OSError as error:
            outcome = from_os_error(error)
        except Exception:
            logger.exception("fault in a download", extra={"row_id": wanted.row_id})
            outcome = SourceUnavailable("internal error of the worker, see its log")
        settle(future, outcome)

    def _copy(self, future: Future[Fetched], progress: Progress, path: Path) -> Fetched:
        progress.begun = True
        self._check_open(future)
        url = self._pick(self._list())
        with self._session.get(
            url, stream=True, timeout=self._timeout, proxies=_proxies(url)
        ) as response:
            _check_status(response)
            part = PartFile.create(path, progress)
            complete = False
            try:
                fetched = self._save(future, response, part)
                complete = True
            finally:
                part.close(keep=complete)
        return fetched

    def _save(
        self, future: Future[Fetched], response: requests.Response, part: PartFile
    ) -> Fetched:
        digest, size = hashlib.sha256(), 0
        length = response.headers.get("Content-Length", "")
        encoded = response.headers.get("Content-Encoding", "identity") != "identity"
        for chunk in response.iter_content(CHUNK_BYTES):
            self._check_open(future)
            part.write(size, chunk)
            digest.update(chunk)
            size += len(chunk)
        if length.isdecimal() and not encoded and size != int(length):
            raise ContentMismatch(f"{size} of {length} bytes came")
        if not size:
            raise ContentMismatch("the photo is empty")
        etag = response.headers.get("ETag", "").removeprefix("W/").strip('"') or None
        return Fetched(size, digest.digest(), etag, "size", part.hold())

    def _check_open(self, future: Future[Fetched]) -> None:
        if future.cancelled():
            raise OutOfTime("it was cancelled")
        if self._closing.is_set():
            raise OutOfTime(CLOSED)

    def _list(self) -> list[str]:
        with self._lock:  # one request for all copies that wait
            if self._photos and self._clock() - self._listed_at <= LIST_SECONDS:
                return self._photos
            if self._refusal and self._clock() - self._refused_at <= PAUSE_SECONDS:
                raise type(self._refusal)(self._refusal.about)
            try:
                self._photos = self._fetch_list()
            except TransferError as error:
                self._refusal, self._refused_at = error, self._clock()
                raise
            self._listed_at = self._clock()
            return self._photos

    def _fetch_list(self) -> list[str]:
        query = {"sol": str(SOL), "page": "1", "api_key": self._key}
        try:
            response = self._session.get(
                self._url, params=query, timeout=self._timeout, proxies=_proxies(self._url)
            )
        except requests.RequestException as error:
            raise _as_transfer_error(error) from error
        _check_status(response)
        try:
            photos = _urls(response.json())
        except ValueError as error:
            raise SourceUnavailable("the list of photos is not JSON") from error
        if not photos:
            raise SourceUnavailable("the list of photos is empty")
        return photos


def _urls(listing: Any) -> list[str]:
    photos = listing.get("photos") if isinstance(listing, dict) else None
    if not isinstance(photos, list):
        return []
    urls = [str(p["img_src"]) for p in photos if isinstance(p, dict) and "img_src" in p]
    return [url for url in urls if urlsplit(url).scheme in {"http", "https"}]


def _proxies(url: str) -> dict[str, str]:
    """Return what makes requests go the way of `proxy_for`; it reads the environment otherwise."""
    proxy = proxy_for(url)
    return {"http": proxy, "https": proxy} if proxy else {"no_proxy": "*"}


def _check_status(response: requests.Response) -> None:
    """Raise for everything but a success; the API's URL, which holds the key, is never shown."""
    status = response.status_code
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise CredentialsRefused(f"NASA_API_KEY is not accepted ({status})")
    if status != HTTPStatus.OK:
        raise SourceUnavailable(f"it answered {status}")


def _as_transfer_error(error: requests.RequestException) -> TransferError:
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return ContentMismatch("the body was cut short")
    if isinstance(error, requests.Timeout):
        return SourceUnavailable("it did not answer in time")
    if isinstance(error, requests.ConnectionError):
        return SourceUnavailable("no connection could be made, or it broke")
    return SourceUnavailable(type(error).__name__)
