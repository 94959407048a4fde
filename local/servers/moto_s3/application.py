"""moto's S3 as a WSGI application that answers a change once it is on disk."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from wsgiref.types import StartResponse, WSGIEnvironment
from xml.sax.saxutils import escape

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import create_backend_app
from moto.s3.models import s3_backends
from moto.s3.responses import S3Response
from moto.s3.utils import bucket_name_from_url
from werkzeug.test import run_wsgi_app
from werkzeug.wrappers import Request, Response

from local.servers.moto_s3.records import Record
from local.servers.moto_s3.store import Store

logger = logging.getLogger(__name__)

UNCHANGING = frozenset({"GET", "HEAD", "OPTIONS"})
NO_SETTINGS = frozenset({"delete"})
"""Bucket requests that set nothing: the removal of several objects."""

LARGEST_SETTING = 1 << 20  # bytes; S3 itself takes no policy or rule set near that
REFUSED = 400


class PersistentS3:
    """moto's S3, its objects below a folder.

    Objects are written from moto's state after each request, whatever the request was. Buckets'
    settings (CORS, life cycle and so on) have no such state worth copying: the last request of
    each kind is kept, and made again at the start.

    Args:
        folder: where the objects are; made if missing.
    """

    def __init__(self, folder: Path) -> None:
        self._app = create_backend_app("s3")
        self._store = Store(folder, s3_backends[DEFAULT_ACCOUNT_ID]["aws"])
        for request in list(self._store.load()):
            self._repeat(request)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        if environ["REQUEST_METHOD"] in UNCHANGING:
            return self._app(environ, start_response)
        bucket, name = _target(environ)
        kind = "" if name else _setting(environ)
        request = _copy(environ) if kind else None
        body, status, headers = run_wsgi_app(self._app, environ, buffered=True)
        answer = Response(body, status, headers)
        try:
            if request and answer.status_code < REFUSED:
                kept = None if environ["REQUEST_METHOD"] == "DELETE" else request
                self._store.sync(bucket, name, (kind, kept))
            else:
                self._store.sync(bucket, name)
        except OSError as error:
            logger.exception("not written")
            answer = _failure(error)
        return answer(environ, start_response)

    def _repeat(self, request: Record) -> None:
        environ = {
            **request["environ"],
            "wsgi.input": io.BytesIO(request["body"].encode("latin-1")),
            "wsgi.url_scheme": "http",
            "wsgi.errors": io.StringIO(),
            "wsgi.version": (1, 0),
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        _, status, _ = run_wsgi_app(self._app, environ, buffered=True)
        if int(status.split()[0]) >= REFUSED:
            logger.warning("setting left out", extra={"query": environ["QUERY_STRING"]})


def _target(environ: WSGIEnvironment) -> tuple[str, str]:
    """Return the bucket and the object that a request names, as moto reads them; "" for none."""
    request = Request(environ)
    path = request.path.removeprefix("/")
    if S3Response.subdomain_based_buckets(request):
        return bucket_name_from_url(request.url) or "", path
    bucket, _, name = path.partition("/")
    return bucket, name


def _setting(environ: WSGIEnvironment) -> str:
    """Return which setting of a bucket a request changes: its query, or "" where it is none."""
    query = sorted(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    if not query or {name for name, _ in query} & NO_SETTINGS:
        return ""
    return "&".join(f"{name}={value}" for name, value in query if not name.startswith("x-id"))


def _copy(environ: WSGIEnvironment) -> Record | None:
    """Return a request as JSON can hold it, its login left out; None where it is too large."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > LARGEST_SETTING:
        return None
    body = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    kept: dict[str, Any] = {
        name: value
        for name, value in environ.items()
        if isinstance(value, str)
        and (name.startswith("HTTP_") or name.isupper())
        and name not in {"HTTP_AUTHORIZATION", "HTTP_X_AMZ_SECURITY_TOKEN"}
    }
    return {"environ": kept, "body": body.decode("latin-1")}


def _failure(error: OSError) -> Response:
    """Return S3's answer to a change that could not be kept."""
    document = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>InternalError</Code>'
        f"<Message>{escape(str(error.strerror))}</Message></Error>"
    )
    return Response(document, 500, content_type="application/xml")
