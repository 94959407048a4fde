"""Reading one page of ListObjectsV2: pure, and strict, for a page that lacks something is no page.

Format: S3 API reference, "ListObjectsV2".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree as ET

from shared.errors import NotAnObjectStore, SourceUnavailable
from shared.sources.listing import ListedObject, Page

ROOT = "ListBucketResult"

MOST_DIGITS = 18
"""Of a size in bytes: PostgreSQL's bigint holds them."""


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
    names = _Names()
    if names[root.tag] != ROOT:
        raise NotAnObjectStore("its answer to a listing is none")
    said: dict[str, str | None] = {}
    contents: list[ET.Element] = []
    for child in root:
        name = names[child.tag]
        if name == "Contents":
            contents.append(child)
        else:
            said.setdefault(name, child.text)
    decoded = _decoded if (said.get("EncodingType") or "").lower() == "url" else str
    objects = [
        _object({names[child.tag]: child.text for child in element}, decoded)
        for element in contents
    ]
    if not all(listed.key.startswith(prefix) for listed in objects):
        raise SourceUnavailable("it lists other names than those asked for")
    return Page(objects, _next(said, token))


class _Names(dict[str, str]):
    """The names of elements without their namespaces, by their tags: a page has few."""

    def __missing__(self, tag: str) -> str:
        name = self[tag] = tag.rpartition("}")[2]
        return name


def _next(said: Mapping[str, str | None], token: str | None) -> str | None:
    truncated = (said.get("IsTruncated") or "").strip().lower()
    if truncated not in {"true", "false"}:
        raise SourceUnavailable("its listing does not say whether there is more")
    if truncated == "false":
        return None
    following = said.get("NextContinuationToken")
    if not following:
        raise SourceUnavailable("its listing has more, but does not say where")
    if following == token:
        raise SourceUnavailable("its listing goes on where it began")
    return following


def _object(texts: Mapping[str, str | None], decoded: Callable[[str], str]) -> ListedObject:
    key, size = texts.get("Key"), (texts.get("Size") or "").strip()
    if not key or not (size.isascii() and size.isdecimal() and len(size) <= MOST_DIGITS):
        raise SourceUnavailable("its listing has an object without a key or a size")
    modified = _moment(texts.get("LastModified") or "")
    return ListedObject(decoded(key), int(size), _etag(texts.get("ETag") or ""), modified)


def _decoded(key: str) -> str:
    """Return a key as AWS encodes it: a blank is "+", a plus is "%2B"."""
    key = key.replace("+", " ").replace("%2F", "/")  # most keys have no other escape
    return key if "%" not in key else unquote_to_bytes(key).decode(errors="surrogateescape")


def _etag(text: str) -> str | None:
    tag = text.strip()
    if tag.startswith(('W/"', 'w/"')):
        tag = tag[2:]
    return tag.strip('"') or None


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
