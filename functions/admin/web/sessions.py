"""Sessions: who is logged in, kept in one signed cookie, and the CSRF token bound to it.

The cookie holds user, a random id and the time it ends, signed by itsdangerous (HMAC-SHA256, a key
of its own for cookies and for tokens, compared in constant time), so that any instance of the
function can read it; the ledger keeps only the sessions that a logout revoked. Before a login there
is a session too, without a user: the login form needs a CSRF token as well. See
docs/decisions/0014-sessions.md.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from itsdangerous import BadData, Signer, URLSafeSerializer

from shared.ledger.database import Database

COOKIE = "admin_session"
SESSION_SECONDS = 12 * 3600
"""How long a session lasts after its login."""

SID_BYTES = 18
"""Random bytes of a session's id: more than the 128 bits that no one guesses."""


class _Signer(Signer):
    """Sign by HMAC-SHA256; by itself itsdangerous chooses SHA-1."""

    default_digest_method = staticmethod(hashlib.sha256)
    default_key_derivation = "hmac"


@dataclass(frozen=True, slots=True)
class Session:
    """One browser's session.

    Attributes:
        user: who logged in, "" before a login.
        sid: random, new with each login, so that no session can be planted beforehand.
        expires: Unix time in whole seconds.
    """

    user: str
    sid: str
    expires: int


class Sessions:
    """Starts, reads and signs sessions.

    Args:
        key: secret of the signatures; a new one logs everyone out.
        seconds: how long a session lasts.
        clock: returns Unix time in seconds.
    """

    def __init__(self, key: bytes, seconds: int, clock: Callable[[], float]) -> None:
        self._cookies = URLSafeSerializer(key, salt="admin session", signer=_Signer)
        self._tokens = _Signer(key, salt="admin form")
        self._seconds = seconds
        self._clock = clock

    def start(self, user: str = "") -> Session:
        """Return a new session."""
        return Session(user, secrets.token_urlsafe(SID_BYTES), int(self._clock()) + self._seconds)

    def read(self, cookies: Mapping[str, str]) -> Session | None:
        """Return the session of a request's cookies, None if missing, forged or expired."""
        try:
            # As bytes: a header may hold what no UTF-8 text can, and that is no signature either.
            user, sid, expires = self._cookies.loads(_bytes(cookies.get(COOKIE, "")))
        except BadData:
            return None
        return Session(user, sid, expires) if expires > self._clock() else None

    def cookie(self, session: Session, *, secure: bool) -> str:
        """Return the `Set-Cookie` value of a session.

        Args:
            session: what to keep.
            secure: the browser speaks TLS and must send the cookie over TLS only.
        """
        value = self._cookies.dumps([session.user, session.sid, session.expires])
        lifetime = max(0, session.expires - int(self._clock()))
        return _cookie(value, lifetime, secure=secure)

    def removal(self, *, secure: bool) -> str:
        """Return the `Set-Cookie` value that removes the session from the browser."""
        return _cookie("", 0, secure=secure)

    def csrf(self, session: Session) -> str:
        """Return the token that a form of this session carries."""
        return self._tokens.get_signature(session.sid).decode()

    def csrf_valid(self, session: Session, token: str) -> bool:
        """Return whether a form's token belongs to this session."""
        return self._tokens.verify_signature(session.sid, _bytes(token))


class RevokedSessions:
    """Sessions ended by a logout: no copy of their cookie may outlive it, in any process.

    Args:
        database: with the admin's queries.

    Every method raises `LedgerUnavailable` if PostgreSQL is unreachable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, session: Session) -> None:
        """Revoke a session, until it would have expired anyway."""
        self._database.run("revoke_session", sid=session.sid, expires=session.expires)

    def contains(self, session: Session) -> bool:
        """Return whether a session was revoked."""
        (row,) = self._database.run("session_revoked", sid=session.sid)
        return bool(row.revoked)


def _cookie(value: str, lifetime: int, *, secure: bool) -> str:
    tail = "; Secure" if secure else ""
    return f"{COOKIE}={value}; Path=/; Max-Age={lifetime}; HttpOnly; SameSite=Lax{tail}"


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")
