"""The admin's sessions, signed by itsdangerous, against the same signed directly with `hmac`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator

from bench.figure import Figure
from bench.libraries.ours import COOKIE, Session, Sessions
from bench.libraries.timing import fresh, in_turn, micros
from bench.setting import Setting

KEY = b"k" * 32
SECONDS = 3_600
NUMBER = 5_000

_KNOWN = "import base64, hashlib, hmac, json, secrets, zlib"


def measure(setting: Setting) -> Iterator[Figure]:
    """Compare what a page of a logged-in person costs: read the cookie, make a form's token."""
    sessions = Sessions(KEY, SECONDS, time.time)
    session = sessions.start("root")
    text = sessions.cookie(session, secure=True).partition(";")[0].partition("=")[2]
    cookies, plain = {COOKIE: text}, _write(session)

    def ours() -> None:
        read = sessions.read(cookies)
        if read is None or not sessions.csrf_valid(read, sessions.csrf(read)):
            raise AssertionError("our own session was refused")

    def by_hand() -> None:
        read = _read(plain)
        if read is None or not hmac.compare_digest(_token(read), _token(read)):
            raise AssertionError("the session signed directly was refused")

    spent = in_turn(
        setting,
        "sessions",
        {"ours": lambda: micros(ours, NUMBER), "hmac": lambda: micros(by_hand, NUMBER)},
    )
    yield Figure(
        "session read, form token made and checked",
        spent["ours"],
        "µs",
        None,
        spent["hmac"],
        "the same with hmac directly",
    )
    imports = in_turn(setting, "import of itsdangerous", {"": _import})
    yield Figure("import of itsdangerous, beside what is loaded anyway", imports[""], "ms")


def _import() -> float:
    return fresh("import itsdangerous", _KNOWN)


def _write(session: Session) -> bytes:
    text = json.dumps([session.user, session.sid, session.expires]).encode()
    value = base64.urlsafe_b64encode(text)
    return value + b"." + _sign("session", value)


def _read(cookie: bytes) -> Session | None:
    value, _, mac = cookie.rpartition(b".")
    if not hmac.compare_digest(_sign("session", value), mac):
        return None
    user, sid, expires = json.loads(base64.urlsafe_b64decode(value))
    return Session(user, sid, expires) if expires > time.time() else None


def _token(session: Session) -> bytes:
    return _sign("form", session.sid.encode())


def _sign(purpose: str, value: bytes) -> bytes:
    return base64.urlsafe_b64encode(
        hmac.digest(KEY, purpose.encode() + b":" + value, hashlib.sha256)
    )
