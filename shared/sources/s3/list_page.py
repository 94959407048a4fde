"""Reading one page of ListObjectsV2: pure, and strict, for a page that lacks something is no page.

Format: S3 API reference, "ListObjectsV2".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree as ET

from shared.errors import NotAnObjectStore, SourceUnavailable
from shared.sources.listing import ListedObject, Page

ROOT = "ListBucketResult"


def read_page(document: bytes, prefix: str = "", token: str | None = None) -> Page:
    """Return what a page's XML document lists.

    Args:
        document: the body of a 200.
        prefix: that was asked for.
        token: that was asked with.

    Raises:
        NotAnObjectStore: it is no such document.
        SourceUnavailable: it is not whole, or contradicts itself or what was asked for.
    """
    if not re.match(rb"\s*<", document) or ROOT.encode() not in document[:4096]:
        raise NotAnObjectStore("its answer to a listing is none")
    if b"<!DOCTYPE" in document or b"<!ENTITY" in document:  # no store sends them: entities expand
        raise NotAnObjectStore("its listing has a document type")
    try:
        root = ET.fromstring(document)  # noqa: S314 - without a document type nothing expands
    except ET.ParseError as error:
        raise SourceUnavailable("its listing was cut short, or is no XML") from error
    if _name(root) != ROOT:
        raise NotAnObjectStore("its answer to a listing is none")
    encoded = (_text(root, "EncodingType") or "").lower() == "url"
    objects = [_object(element, encoded=encoded) for element in _children(root, "Contents")]
    for listed in objects:
        if not listed.key.startswith(prefix):
            raise SourceUnavailable("it lists other names than those asked for")
    return Page(objects, _next(root, token))


def _next(root: ET.Element, token: str | None) -> str | None:
    truncated = (_text(root, "IsTruncated") or "").strip().lower()
    if truncated not in {"true", "false"}:
        raise SourceUnavailable("its listing does not say whether there is more")
    if truncated == "false":
        return None
    following = _text(root, "NextContinuationToken")
    if not following:
        raise SourceUnavailable("its listing has more, but does not say where")
    if following == token:
        raise SourceUnavailable("its listing goes on where it began")
    return following


def _object(element: ET.Element, *, encoded: bool) -> ListedObject:
    texts = {_name(child): child.text or "" for child in element}
    key, size = texts.get("Key", ""), texts.get("Size", "").strip()
    if not key or not re.fullmatch(r"[0-9]{1,18}", size):
        raise SourceUnavailable("its listing has an object without a key or a size")
    if encoded:
        # As AWS writes it: a blank is "+", a plus is "%2B".
        key = unquote_to_bytes(key.replace("+", " ")).decode(errors="surrogateescape")
    return ListedObject(key, int(size), _etag(texts), _moment(texts.get("LastModified", "")))


def _etag(texts: dict[str, str]) -> str | None:
    tag = texts.get("ETag", "").strip()
    return re.sub(r'^[Ww]/(?=")', "", tag).strip('"') or None


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _children(root: ET.Element, name: str) -> Iterator[ET.Element]:
    return (child for child in root if _name(child) == name)


def _text(root: ET.Element, name: str) -> str | None:
    return next((child.text for child in _children(root, name)), None)


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
