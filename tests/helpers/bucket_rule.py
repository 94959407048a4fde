"""A bucket that only lists, as a rule of `s3_server`: in any order, and at fault on demand."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlsplit

from tests.helpers.s3_server import Answer, Asked

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Listed:
    """An object; its ETag is made of its size unless it is given."""

    size: int
    etag: str = ""
    modified: datetime = LONG_AGO

    @property
    def shown(self) -> str:
        return self.etag or md5(b"x" * min(self.size, 100))


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


class BucketRule:
    """Answers ListObjectsV2.

    Args:
        objects: by key.
        order: sorts the keys.
        page: keys in a page at most.
    """

    def __init__(
        self,
        objects: dict[str, Listed],
        *,
        order: Callable[[str], Any] = str.encode,
        page: int = 1_000,
    ) -> None:
        self.objects = objects
        self.page = page
        self._order = order
        self._sorted: list[str] = []
        self.refusals: Iterable[Answer | None] = iter(())
        self.asked: list[dict[str, str]] = []

    def __call__(self, asked: Asked) -> Answer:
        query = parse_qs(urlsplit(asked.path).query, keep_blank_values=True)
        parameters = {name: values[0] for name, values in query.items()}
        self.asked.append(parameters)
        refusal = next(iter(self.refusals), None)
        return refusal or Answer(body=self._document(parameters))

    def _document(self, parameters: dict[str, str]) -> bytes:
        if len(self._sorted) != len(self.objects):
            self._sorted = sorted(self.objects, key=self._order)
        keys = self._sorted
        if "continuation-token" in parameters:
            first = int(parameters["continuation-token"].removeprefix("token="))
        elif "start-after" in parameters:
            first = bisect_right(keys, self._order(parameters["start-after"]), key=self._order)
        else:
            first = 0
        found: list[str] = []
        while first < len(keys) and len(found) < self.page:
            if keys[first].startswith(parameters.get("prefix", "")):
                found.append(keys[first])
            first += 1
        more = first < len(keys)
        contents = "".join(self._contents(key) for key in found)
        following = f"<NextContinuationToken>token={first}</NextContinuationToken>" if more else ""
        return (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<EncodingType>url</EncodingType><IsTruncated>{str(more).lower()}</IsTruncated>"
            f"{contents}{following}</ListBucketResult>"
        ).encode()

    def _contents(self, key: str) -> str:
        listed = self.objects[key]
        moment = listed.modified.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        return (
            f"<Contents><Key>{quote_plus(key, safe='/')}</Key>"
            f"<LastModified>{moment}</LastModified>"
            f"<ETag>&quot;{listed.shown}&quot;</ETag><Size>{listed.size}</Size></Contents>"
        )
