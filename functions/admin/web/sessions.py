"""Sessions: who is logged in, kept in one signed cookie, and the CSRF token bound to it.

The cookie holds user, a random id and the time it ends, signed by HMAC-SHA256, so that any instance
of the function can read it; only logouts are kept. Before a login there is a session
too, without a user: the login form needs a CSRF token as well.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

COOKIE = "admin_session"


@dataclass(frozen=True, slots=True)
class Session:
    """One browser's session.

    Attributes:
        user: who logged in, "" before a login.
        sid: random, new with each login, so that nobody can plant a session beforehand.
        expires: Unix time in whole seconds.
    """

    user: str
    sid: str
    expires: int


class Sessions:
    """Starts, reads and signs sessions.

    Args:
        key: secret of the signatures; whoever changes it logs everybody out.
        seconds: how long a session lasts.
        clock: Unix time in seconds.
    """

    def __init__(self, key: bytes, seconds: int, clock: Callable[[], float]) -> None:
        self._key = key
        self._seconds = seconds
        self._clock = clock

    def start(self, user: str = "") -> Session:
        """Gives a new session."""
        return Session(user, secrets.token_urlsafe(18), int(self._clock()) + self._seconds)

    def read(self, cookies: Mapping[str, str]) -> Session | None:
        """Gives the session of a request's cookies; None when missing, forged or over."""
        value, _, mac = cookies.get(COOKIE, "").rpartition(".")
        if not hmac.compare_digest(
            self._sign("session", value), mac.encode(errors="surrogatepass")
        ):
            return None
        expires, sid, user = value.split(".")
        if int(expires) <= self._clock():
            return None
        return Session(_decode(user), sid, int(expires))

    def cookie(self, session: Session, *, secure: bool) -> str:
        """Gives the `Set-Cookie` value of a session.

        Args:
            session: what to keep.
            secure: the browser speaks TLS and must send the cookie over TLS only.
        """
        value = f"{session.expires}.{session.sid}.{_encode(session.user)}"
        mac = self._sign("session", value).decode()
        lifetime = max(0, session.expires - int(self._clock()))
        return _cookie(f"{value}.{mac}", lifetime, secure=secure)

    def ended(self, *, secure: bool) -> str:
        """Gives the `Set-Cookie` value that removes the session from the browser."""
        return _cookie("", 0, secure=secure)

    def csrf(self, session: Session) -> str:
        """Gives the token that a form of this session carries."""
        return self._sign("csrf", session.sid).decode()

    def csrf_valid(self, session: Session, token: str) -> bool:
        """Tells whether a form's token belongs to this session."""
        return hmac.compare_digest(
            self._sign("csrf", session.sid), token.encode(errors="surrogatepass")
        )

    def _sign(self, purpose: str, value: str) -> bytes:
        text = f"{purpose}:{value}".encode(errors="surrogatepass")
        return hmac.new(self._key, text, hashlib.sha256).hexdigest().encode()


def _cookie(value: str, lifetime: int, *, secure: bool) -> str:
    tail = "; Secure" if secure else ""
    return f"{COOKIE}={value}; Path=/; Max-Age={lifetime}; HttpOnly; SameSite=Strict{tail}"


def _encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(text: str) -> str:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
