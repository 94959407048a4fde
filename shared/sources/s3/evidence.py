"""Whether an answer can be S3's at all: pure rules, from its status, headers and error document.

Anything answers 200: a console, a captive portal, a proxy's block page, a web server's start page.
What is stored must come from an object store, and what it refuses must be its own refusal.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from http import HTTPStatus

from shared.sources.s3.object_head import is_same_version

_IDS = (
    "x-amz-",  # S3 itself, MinIO, SeaweedFS, Ceph, B2, Wasabi, LocalStack, lakeFS, rclone, R2
    "x-goog-",  # Google Cloud Storage
    "x-guploader-uploadid",
    "x-oss-",  # Alibaba
    "x-cos-",  # Tencent
    "x-obs-",  # Huawei
    "x-tos-",  # Volcano
    "x-bce-",  # Baidu
    "x-rgw-",  # Ceph
    "x-minio-",
    "opc-request-id",  # Oracle
    "x-trans-id",  # OpenStack Swift
)
"""Beginnings of the headers that only object stores send, in lower case."""

_NOT_STORES = ("x-amz-cf-", "x-amz-apigw-", "x-amz-rid", "x-amz-waf-")
"""Headers of Amazon's other services, which stand before any web site."""

_PAGES = (
    "text/",
    "application/xhtml",
    "application/json",
    "application/problem",
    "application/xml",
)
"""What web servers answer any path with: pages, and the JSON of a gateway or an application."""

_ERROR = re.compile(rb"<Error[\s>].*?<Code>\s*[A-Za-z0-9.]{1,64}\s*</Code>", re.DOTALL)

_OWN_MEANING = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.PRECONDITION_FAILED,
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)
"""Statuses below 500 that mean the same from any server on the way."""


class Evidence(enum.Enum):
    """How far an answer with an object's bytes proves to be S3's."""

    STORE = "store"
    """An object store sent it."""
    DOUBTFUL = "doubtful"
    """A text with an ETag: an object, or any web server's answer. A control request decides."""
    NONE = "none"
    """No object store answers so."""


def of_object(headers: Mapping[str, str]) -> Evidence:
    """Return what the headers of a 200 or 206 prove.

    =======================================================  ============
    headers                                                  evidence
    =======================================================  ============
    a request id, or others of an object store (`_IDS`)      `STORE`
    ETag, and a type that web servers do not make up         `STORE`
    ETag, and the type of a page or a gateway's answer       `DOUBTFUL`
    neither                                                  `NONE`
    =======================================================  ============

    S3 sends `x-amz-request-id`, `x-amz-id-2` and `ETag` with every object (S3 API reference,
    "Common response headers"). docs/decisions/0016 tells which of these were tried:

    =======================================  ==================================================
    store                                    sends
    =======================================  ==================================================
    AWS, B2, Wasabi, LocalStack              `x-amz-request-id`, `x-amz-id-2`, `ETag`
    MinIO, SeaweedFS, Ceph RGW, lakeFS       `x-amz-request-id`, `ETag`
    `rclone serve s3` and its relatives      both ids, `ETag`, which may be `""`
    Google Cloud Storage                     `x-guploader-uploadid`, `x-goog-…`, `ETag`
    Alibaba OSS                              `x-oss-request-id`, `ETag` in upper case
    Cloudflare R2, Garage, moto              `ETag`; an id of another name, or none
    nginx as a store of files                `ETag`
    MinIO's console, a captive portal        neither
    =======================================  ==================================================

    Args:
        headers: names in lower case.
    """
    if has_id(headers):
        return Evidence.STORE
    if "etag" not in headers:
        return Evidence.NONE
    page = headers.get("content-type", "").lower().startswith(_PAGES)
    return Evidence.DOUBTFUL if page else Evidence.STORE


def is_refusal(status: int, headers: Mapping[str, str], document: bytes) -> bool:
    """Return whether a response other than 200 and 206 may be taken at its word.

    A web server that knows nothing of the bucket answers 404, too, and a filter 403: only a request
    id or S3's error document shows that the store itself refuses. What 3xx and 5xx mean depends on
    neither.

    Args:
        status: of the response.
        headers: names in lower case.
        document: its body, or the beginning of it.
    """
    if not HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return True
    return status in _OWN_MEANING or has_id(headers) or _ERROR.search(document) is not None


def is_unchanged(status: int, headers: Mapping[str, str], etag: str) -> bool:
    """Return whether a response to `If-None-Match` proves that the store has that very version.

    ======  ===========  ====================  =========
    status  ETag         id (`_IDS`)           unchanged
    ======  ===========  ====================  =========
    304     the same     any                   yes
    304     none         of an object store    yes
    304     none         none                  no
    304     weak         any                   no
    304     another      any                   no
    other   any          any                   no
    ======  ===========  ====================  =========

    A 304 must have the ETag that a 200 would have had (RFC 9110, section 15.4.5). Nothing else on
    the way knows it, but for a cache, which could answer any other request, too.

    Args:
        status: of the response.
        headers: names in lower case.
        etag: of the version, without quotes.
    """
    if status != HTTPStatus.NOT_MODIFIED:
        return False
    same = is_same_version(headers, etag)
    return has_id(headers) if same is None else same


def described(status: int, headers: Mapping[str, str]) -> str:
    """Return what a person recognizes the server by, such as `200, text/html, MinIO Console`."""
    kind = headers.get("content-type", "").partition(";")[0]
    texts = (str(status), kind, headers.get("server", ""))
    return ", ".join(_shown(text) for text in texts if text)


def has_id(headers: Mapping[str, str]) -> bool:
    """Return whether an object store sent these headers, by those that nothing else sends."""
    return any(name.startswith(_IDS) and not name.startswith(_NOT_STORES) for name in headers)


def _shown(text: str) -> str:
    return "".join(c for c in text[:60] if c.isprintable() and c.isascii())
