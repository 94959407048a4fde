"""An S3 that misbehaves as a key asks it to, by `python -m tests.faults.harness.object_store PORT`.

A key is `<behavior>/<size>/<name>`. What the object holds follows from the key alone, so the
store keeps no data, a restart loses none, and a test knows every byte without asking.
"""

from __future__ import annotations

import collections
import enum
import functools
import hashlib
import struct
import sys
import threading
import time
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from tests.helpers.s3_server import (
    Answer,
    Asked,
    CloseConnection,
    ObjectServer,
    ResetConnection,
    error,
    s3_head,
)

BUCKET = "client-uploads"
CONTROL = "control"
"""In place of the bucket: its keys are names of `Everywhere`, and each request sets that."""

BLOCK = 1 << 20
LARGEST_MD5 = 128 << 20
"""Beyond it the ETag is no MD5, so that nothing tells right bytes from wrong ones: only for objects
that are sent as they are. An object with wrong bytes must be smaller."""

HANG_SECONDS = 90.0

TRICKLED_BYTES = 60
"""Sent one a second: longer than any client of ours waits."""


class Behavior(enum.StrEnum):
    """What the store does; "once" is the first request for a key."""

    PLAIN = "plain"
    """Sends the object."""
    DENIED = "denied"
    """403 for ever."""
    ABSENT = "absent"
    """404 for ever."""
    LATE = "late"
    """404 once: the object is not visible yet."""
    BROKEN_ONCE = "broken-once"
    """500 once."""
    BROKEN = "broken"
    """500 for ever."""
    SLOW_DOWN = "slow-down"
    """503 SlowDown once."""
    SHORT = "short"
    """The body ends in the middle, once."""
    LONG = "long"
    """More bytes than Content-Length, once."""
    WRONG_ONCE = "wrong-once"
    """Wrong bytes of the right length, once."""
    WRONG = "wrong"
    """Wrong bytes of the right length, for ever."""
    REPLACED = "replaced"
    """Another version takes the object's place while the first request is answered."""
    TRICKLE = "trickle"
    """A byte a second, once."""
    RESET = "reset"
    """The connection is reset in the middle of the body, once."""
    HANG = "hang"
    """No answer at all, once."""
    SILENT = "silent"
    """No answer at all, for ever."""
    REDIRECT = "redirect"
    """307 to another host's file, for ever."""


class Everywhere(enum.StrEnum):
    """What every object meets, whatever its key asks for."""

    NORMAL = "normal"
    """Nothing."""
    NO_BUCKET = "no-bucket"
    """The bucket does not exist."""
    DENIED = "denied"
    """Access is denied."""
    UNKNOWN_KEY = "unknown-key"
    """The access key is unknown."""
    BROKEN = "broken"
    """500."""
    PORTAL = "portal"
    """A page for people, by 200, as a captive portal or another program sends it."""


def size_of(key: str) -> int:
    """Return the size of an object in bytes."""
    return int(key.split("/")[1])


def blocks(key: str, version: int = 0) -> Iterator[bytes]:
    """Yield an object's content in pieces of at most `BLOCK` bytes."""
    for _, piece in pieces(key, version, 0, size_of(key)):
        yield piece


def sha256(key: str, version: int = 0) -> bytes:
    """Return the digest of an object's content."""
    digest = hashlib.sha256()
    for block in blocks(key, version):
        digest.update(block)
    return digest.digest()


def final_version(key: str) -> int:
    """Return the version that a copy must end with."""
    return 1 if key.startswith(f"{Behavior.REPLACED}/") else 0


@functools.lru_cache(maxsize=256)
def etag(key: str, version: int) -> str:
    """Return the ETag, without quotes."""
    if size_of(key) > LARGEST_MD5:
        # S3 makes no such ETag (its form is digest-parts): it cannot be taken for an MD5.
        return "v" + hashlib.sha256(f"{version} {key}".encode()).hexdigest()[:31]
    digest = hashlib.md5(usedforsecurity=False)
    for block in blocks(key, version):
        digest.update(block)
    return digest.hexdigest()


REFUSALS = {
    Behavior.DENIED: (403, "AccessDenied"),
    Behavior.ABSENT: (404, "NoSuchKey"),
    Behavior.BROKEN: (500, "InternalError"),
    Behavior.REDIRECT: (307, "TemporaryRedirect"),
}
"""Answers for ever: status and code."""

FIRST_REFUSALS = {
    Behavior.LATE: (404, "NoSuchKey"),
    Behavior.BROKEN_ONCE: (500, "InternalError"),
    Behavior.SLOW_DOWN: (503, "SlowDown"),
}
EVERYWHERE = {
    Everywhere.NO_BUCKET: (404, "NoSuchBucket"),
    Everywhere.DENIED: (403, "AccessDenied"),
    Everywhere.UNKNOWN_KEY: (403, "InvalidAccessKeyId"),
    Everywhere.BROKEN: (500, "InternalError"),
}
PAGE = b"<!doctype html><title>Log in to the network</title>"
BREAKS = {Behavior.SHORT, Behavior.RESET, Behavior.TRICKLE}


def behavior_of(key: str) -> Behavior | None:
    """Return what a key asks for, None where there is no such object."""
    try:
        behavior, size, _ = key.split("/", 2)
        return Behavior(behavior) if int(size) >= 0 else None
    except ValueError:
        return None


def _block(key: str, version: int, start: int) -> bytes:
    """Return `BLOCK` bytes of content that begin at a multiple of it, fewer for a small object."""
    # Each block differs from the one before, so that swapped ranges do not go unnoticed.
    return struct.pack(">Q", start) + _content(key, version)[8:]


@functools.lru_cache(maxsize=32)
def _content(key: str, version: int) -> bytes:
    seed = hashlib.sha256(f"{version} {key}".encode()).digest()
    return hashlib.shake_128(seed).digest(min(BLOCK, size_of(key)))


def pieces(key: str, version: int, first: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield part of an object's content, each piece with its position."""
    for start in range(first // BLOCK * BLOCK, end, BLOCK):
        at = max(first, start)
        yield at, _block(key, version, start)[at - start : end - start]


class Store:
    """The rule of the server: what a key asks for.

    Args:
        port: of the server, for its redirects.
    """

    def __init__(self, port: int) -> None:
        self._elsewhere = f"http://127.0.0.1:{port}/{BUCKET}/plain/9/elsewhere"
        self._asked: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()
        self._everywhere = Everywhere.NORMAL

    def __call__(self, asked: Asked) -> Answer:
        """Answer a request for a key.

        Raises:
            CloseConnection: the key asks for silence.
        """
        bucket, _, key = unquote(urlsplit(asked.path).path).lstrip("/").partition("/")
        if bucket == CONTROL:
            self._everywhere = Everywhere(key)
            return Answer()
        everywhere = self._everywhere
        if everywhere is Everywhere.PORTAL:
            return Answer(200, {"Content-Type": "text/html", "x-amz-request-id": ""}, PAGE)
        if everywhere in EVERYWHERE:
            return error(*EVERYWHERE[everywhere])
        if bucket != BUCKET:
            return error(404, "NoSuchBucket")
        behavior = behavior_of(key)
        if behavior is None:
            return error(404, "NoSuchKey")
        # Plain ones are not counted: a million names would be remembered for nothing.
        first_time = behavior is not Behavior.PLAIN and self._count(key) == 0
        if behavior is Behavior.REDIRECT:
            return error(*REFUSALS[behavior], Location=self._elsewhere)
        refusal = REFUSALS.get(behavior) or (first_time and FIRST_REFUSALS.get(behavior))
        if refusal:
            return error(*refusal)
        if behavior is Behavior.SILENT or (behavior is Behavior.HANG and first_time):
            time.sleep(HANG_SECONDS)
            raise CloseConnection
        return _object(asked, key, behavior, first_time=first_time)

    def _count(self, key: str) -> int:
        """Count a request for a key, and return how many came before it."""
        with self._lock:
            self._asked[key] += 1
            return self._asked[key] - 1


def _object(asked: Asked, key: str, behavior: Behavior, *, first_time: bool) -> Answer:
    version = 0 if first_time else final_version(key)
    answer, first, end = s3_head(asked, f'"{etag(key, version)}"', size_of(key))
    if answer.body:  # it is refused
        return answer
    content = pieces(key, version, first, end)
    middle = (first + end) // 2
    if behavior is Behavior.WRONG or (behavior is Behavior.WRONG_ONCE and first_time):
        answer.pieces = _wrong(content)
    elif first_time and behavior is Behavior.REPLACED:
        answer.pieces = _replaced(content, key, middle)
    elif first_time and behavior is Behavior.LONG:
        answer.pieces = _too_long(content)
    elif first_time and behavior in BREAKS:
        answer.pieces = _broken(content, behavior, middle)
    else:
        answer.pieces = (piece for _, piece in content)
    return answer


def _wrong(content: Iterator[tuple[int, bytes]]) -> Iterator[bytes]:
    """Yield the content with its first byte changed."""
    for number, (_, piece) in enumerate(content):
        yield piece if number else bytes([piece[0] ^ 1]) + piece[1:]


def _replaced(content: Iterator[tuple[int, bytes]], key: str, middle: int) -> Iterator[bytes]:
    """Yield the content, from the middle on that of the new version, as a careless cache does."""
    for at, piece in content:
        if at + len(piece) > middle:
            ((_, newer),) = pieces(key, 1, at, at + len(piece))
            yield piece[: max(0, middle - at)] + newer[max(0, middle - at) :]
        else:
            yield piece


def _too_long(content: Iterator[tuple[int, bytes]]) -> Iterator[bytes]:
    for _, piece in content:
        yield piece
    yield b"more than Content-Length" * 10
    raise CloseConnection


def _broken(
    content: Iterator[tuple[int, bytes]], behavior: Behavior, middle: int
) -> Iterator[bytes]:
    """Yield the content to its middle, and break off in a behavior's own way."""
    for at, piece in content:
        if at + len(piece) <= middle:
            yield piece
            continue
        rest = piece[: middle - at] or piece[:TRICKLED_BYTES]
        if behavior is Behavior.TRICKLE:
            for byte in rest[:TRICKLED_BYTES]:
                yield bytes([byte])
                time.sleep(1)
            raise CloseConnection
        yield rest
        raise ResetConnection if behavior is Behavior.RESET else CloseConnection


if __name__ == "__main__":
    port = int(sys.argv[1])
    ObjectServer(
        Store(port), port, host=sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"
    ).serve_forever()
