"""The schema of a sync request.

The body is JSON (RFC 8259) in UTF-8. Duplicate names, which RFC 8259 calls unpredictable, and
NaN or Infinity, which are not JSON, are refused: no two readers may read different requests.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, NoReturn

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError

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


def _storable(text: str) -> str:
    """Refuse what a database's UTF-8 text cannot hold."""
    if "\x00" in text:
        raise ValueError("must not contain NUL")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("must be valid Unicode without lone surrogates") from error
    return text


def _object_key(text: str) -> str:
    reason = check_key(text)
    if reason is not None:
        raise ValueError(reason)
    return text


def _media_type(text: str) -> str:
    if _MEDIA_TYPE.fullmatch(text) is None:
        raise ValueError("must be a media type such as image/jpeg")
    return text


_Short = Annotated[
    str,
    StringConstraints(min_length=1, max_length=255),
    AfterValidator(_storable),
]


class SyncRequest(BaseModel):
    """The body of `POST /sync/`; further fields are allowed and ignored.

    Attributes:
        oeid: id of the object at the client, 1 to 255 characters.
        ref_id: the client's reference, 1 to 255 characters.
        file_name: the object's key, up to 1,024 UTF-8 bytes, see `shared.storage.object_key`.
        file_type: its media type, up to 255 characters.
    """

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    oeid: _Short
    ref_id: _Short
    file_name: Annotated[
        str, StringConstraints(min_length=1), AfterValidator(_storable), AfterValidator(_object_key)
    ]
    file_type: Annotated[_Short, AfterValidator(_media_type)]


class _NotJson(ValueError):
    """The text is JSON to Python, but not to RFC 8259."""


def _refuse_constant(name: str) -> NoReturn:
    raise _NotJson(name)


def _unique_names(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise _NotJson
    return document


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
        document = json.loads(
            body.decode(),
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique_names,
        )
    except ValueError as error:
        raise MalformedJson(malformed_json.explain(body, content_type)) from error
    except RecursionError as error:
        raise MalformedJson(malformed_json.TOO_DEEP) from error
    if not isinstance(document, dict):
        raise MalformedJson(malformed_json.not_an_object(document))
    try:
        return SyncRequest.model_validate(document)
    except ValidationError as error:
        raise InvalidFields(
            [
                {
                    "field": ".".join(str(part) for part in item["loc"]),
                    "reason": item["msg"].removeprefix("Value error, "),
                }
                for item in error.errors(include_url=False, include_input=False)
            ]
        ) from error
