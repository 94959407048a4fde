"""The schema of a sync request.

The body is JSON (RFC 8259) in UTF-8. Duplicate names, which RFC 8259 calls unpredictable, and
NaN or Infinity, which are not JSON, are refused: no two readers may read different requests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from shared.errors import InvalidFields, MalformedJson
from shared.http import malformed_json
from shared.storage.object_key import check_key

_RESTRICTED_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&\-^_.+]{0,126}"
"""A media type (RFC 6838, section 4.2: restricted names) with optional parameters (RFC 9110,
section 5.6.6). It becomes the value of a header, so it is visible ASCII and blanks only."""

_TOKEN = r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+"  # noqa: S105 - a token of HTTP
_MEDIA_TYPE = re.compile(
    rf"{_RESTRICTED_NAME}/{_RESTRICTED_NAME}"
    rf"""([ \t]*;[ \t]*{_TOKEN}=({_TOKEN}|"[ !#-\[\]-~]*"))*"""
)


MOST_CHARACTERS = 255
"""Of every field but the object's key, which S3 and file systems limit in bytes."""


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """The body of `POST /sync/`; further fields are allowed and ignored.

    Attributes:
        oeid: id of the object at the client, 1 to 255 characters.
        ref_id: the client's reference, 1 to 255 characters.
        file_name: the object's key, up to 1,024 UTF-8 bytes, see `shared.storage.object_key`.
        file_type: its media type, up to 255 characters.
    """

    oeid: str
    ref_id: str
    file_name: str
    file_type: str


def _present(text: str) -> str | None:
    return None if text else "String should have at least 1 character"


def _short(text: str) -> str | None:
    if len(text) > MOST_CHARACTERS:
        return f"String should have at most {MOST_CHARACTERS} characters"
    return _present(text)


def _storable(text: str) -> str | None:
    """Refuse what a database's UTF-8 text cannot hold."""
    if "\x00" in text:
        return "must not contain NUL"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "must be valid Unicode without lone surrogates"
    return None


def _media_type(text: str) -> str | None:
    return None if _MEDIA_TYPE.fullmatch(text) else "must be a media type such as image/jpeg"


_Check = Callable[[str], str | None]

_CHECKS: Mapping[str, Sequence[_Check]] = {
    "oeid": (_short, _storable),
    "ref_id": (_short, _storable),
    "file_name": (_present, _storable, check_key),
    "file_type": (_short, _storable, _media_type),
}
"""Of each field, what returns the reason to refuse its text, or None; the first reason counts."""


class _NotJson(ValueError):
    """The text is JSON to Python, but not to RFC 8259."""


def _refuse_constant(name: str) -> NoReturn:
    raise _NotJson(name)


def _unique_names(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise _NotJson
    return document


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_unique_names)


def parse(body: bytes, content_type: str = "") -> SyncRequest:
    """Read a request's body.

    Args:
        body: its raw bytes.
        content_type: the header's value; it helps to explain a refusal and decides nothing.

    Raises:
        MalformedJson: it is not one JSON object in UTF-8 with unique names.
        InvalidFields: fields are missing or invalid; each is named with its reason.
    """
    try:
        document = _DECODER.decode(body.decode())
    except ValueError as error:
        raise MalformedJson(malformed_json.explain(body, content_type)) from error
    except RecursionError as error:
        raise MalformedJson(malformed_json.TOO_DEEP) from error
    if not isinstance(document, dict):
        raise MalformedJson(malformed_json.not_an_object(document))
    errors = []
    for name, checks in _CHECKS.items():
        reason = _reason(document, name, checks)
        if reason:
            errors.append({"field": name, "reason": reason})
    if errors:
        raise InvalidFields(errors)
    return SyncRequest(**{name: document[name] for name in _CHECKS})


def _reason(document: Mapping[str, object], name: str, checks: Sequence[_Check]) -> str | None:
    """Return why a field is refused, None if it is not."""
    if name not in document:
        return "Field required"
    value = document[name]
    if not isinstance(value, str):
        return "Input should be a valid string"
    for check in checks:
        reason = check(value)
        if reason:
            return reason
    return None
