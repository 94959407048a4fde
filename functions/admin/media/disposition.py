"""How a browser may treat a stored file: show it inline, or only save it. Pure.

Files come from untrusted clients and are served from the admin's own origin. Only types that can't
run anything there are shown; everything else is saved, and sandboxed in case it is shown after all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from functions.admin.media.text_preview import known_charset

_IMAGES = frozenset(
    f"image/{name}" for name in ("jpeg", "png", "gif", "webp", "avif", "bmp", "tiff", "x-icon")
)
_PLAYED = ("video/", "audio/")
_PDF = "application/pdf"
_SVG = "image/svg+xml"
_JSON = frozenset({"application/json", "application/geo+json", "application/ld+json"})
_MARKUP = frozenset(
    {"text/html", "text/xml", "text/xsl", "application/xml", "application/xhtml+xml"}
)
"""A browser would show these as documents: their text is shown on the object's page only."""

_SOURCE = frozenset(
    f"application/{name}"
    for name in (
        "javascript",
        "ecmascript",
        "sql",
        "toml",
        "x-ndjson",
        "x-sh",
        "x-yaml",
        "yaml",
    )
)

_CHARSET = re.compile(
    r"""(?:^|;)\s*charset\s*=\s*"?([\w.:-]{1,40})"?\s*(?:;|$)""", re.ASCII | re.IGNORECASE
)

_TYPE = re.compile(r"[\w!#$&^.+-]{1,127}/[\w!#$&^.+-]{1,127}", re.ASCII)

SANDBOX = "sandbox; default-src 'none'"
IMAGE_POLICY = f"{SANDBOX}; style-src 'unsafe-inline'"
"""A browser shows an image by itself in a page that it generates, which has inline styles."""

PLAYED_POLICY = "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'"
"""The same for video and audio, which a sandbox would request without the session's cookie."""

PDF_POLICY = (
    "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'"
)
"""A browser's PDF viewer does not work in a sandbox; the admin shows it in a frame."""


@dataclass(frozen=True, slots=True)
class Treatment:
    """How a file is served and shown.

    Attributes:
        content_type: as it is sent.
        inline: shown in the browser rather than saved.
        policy: its Content-Security-Policy.
        preview: how the object's page shows it: image, video, audio, pdf, text, json or "".
        charset: that its client declared, "" for none.
    """

    content_type: str
    inline: bool
    policy: str
    preview: str
    charset: str = ""


def treatment(file_type: str) -> Treatment:
    """Return how to treat a file, by the media type that its client declared.

    ===================================  =========  =======  =======
    type                                 sent as    inline   preview
    ===================================  =========  =======  =======
    image/jpeg and other pixel formats   same       yes      image
    image/svg+xml                        same       no       image
    video/…, audio/…                     same       yes      video, audio
    application/pdf                      same       yes      pdf
    text/…: plain, csv, markdown, css    text/plain yes      text
    application/json, …+json             text/plain yes      json
    text/html, xml, …+xml: documents     same       no       text
    application/javascript, yaml, sql    same       no       text
    everything else                      same       no       (none)
    not a media type                     octets     no       (none)
    ===================================  =========  =======  =======

    An SVG image is safe in `<img>`, which runs no script and loads nothing: it is saved otherwise.
    """
    kind, _, parameters = file_type.partition(";")
    kind = kind.strip().lower()
    charset = _charset(parameters)
    if not _TYPE.fullmatch(kind):
        return Treatment("application/octet-stream", inline=False, policy=SANDBOX, preview="")
    if kind in _IMAGES:
        return Treatment(kind, inline=True, policy=IMAGE_POLICY, preview="image")
    if kind.startswith(_PLAYED) and not kind.endswith("+xml"):
        played = kind.partition("/")[0]
        return Treatment(kind, inline=True, policy=PLAYED_POLICY, preview=played)
    if kind == _PDF:
        return Treatment(kind, inline=True, policy=PDF_POLICY, preview="pdf")
    if kind == _SVG:
        return Treatment(kind, inline=False, policy=IMAGE_POLICY, preview="image")
    if kind in _MARKUP or kind in _SOURCE or kind.endswith("+xml"):
        return Treatment(kind, inline=False, policy=SANDBOX, preview="text", charset=charset)
    is_json = kind in _JSON or kind.endswith("+json")
    if is_json or kind.startswith("text/"):
        sent = f"text/plain; charset={charset or 'utf-8'}"
        shown = "json" if is_json else "text"
        return Treatment(sent, inline=True, policy=SANDBOX, preview=shown, charset=charset)
    return Treatment(kind, inline=False, policy=SANDBOX, preview="")


def _charset(parameters: str) -> str:
    """Return the declared charset by the client's own name, which browsers know as well."""
    found = _CHARSET.search(parameters)
    return found[1].lower() if found and known_charset(found[1]) else ""


def content_disposition(file_name: str, *, inline: bool) -> str:
    """Return the header's value, with the name in both forms (RFC 6266, section 4.3; RFC 8187)."""
    name = file_name.rpartition("/")[2]
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in name)
    kind = "inline" if inline else "attachment"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
