"""How connections log in to PostgreSQL where the login is not simply that of `DATABASE_URL`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import psycopg2
from psycopg2 import extensions

from shared.errors import AwsUnavailable, SettingError

TOKEN_SECONDS = 600.0
"""Seconds that a token is used for. It is valid for 900; RDS takes 200 new ones a second, and does
not limit connections with one that it knows (Amazon RDS, "IAM database authentication")."""

RENEWED_SECONDS = 5.0
"""Seconds after which a login that is refused again is renewed again."""

DEFAULT_PORT = "5432"


class Login(Protocol):
    """What is sent as user and password; used by any thread."""

    def parameters(self, given: Mapping[str, str], /) -> Mapping[str, str]:
        """Return parameters of libpq that replace those of the URL.

        Args:
            given: host, port, user and so on.

        Raises:
            psycopg2.OperationalError: there is no login now.
        """
        ...

    def renew(self) -> bool:
        """Return whether another try may succeed, now that the server has refused the login."""
        ...


class TokenLogin:
    """An IAM authentication token in place of a password.

    Args:
        url: of the database.
        sign: returns the token for a host, a port and a user, or raises `AwsUnavailable`.
        clock: seconds since 1970; a monotonic one may stand still while Lambda freezes a process.

    Raises:
        SettingError: the URL does not make sure that the server is the right one.
    """

    def __init__(
        self,
        url: str,
        sign: Callable[[str, str, str], str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        if parse_url(url).get("sslmode") != "verify-full":
            # Whoever gets a token can log in with it for 15 minutes.
            raise SettingError("DATABASE_AUTH: iam needs sslmode=verify-full in DATABASE_URL")
        self._sign, self._clock = sign, clock
        self._tokens: dict[tuple[str, str, str], tuple[float, str]] = {}
        self._lock = threading.Lock()

    def parameters(self, given: Mapping[str, str], /) -> Mapping[str, str]:
        """Return a token as the password; see `Login`."""
        place = given.get("host", ""), given.get("port", DEFAULT_PORT), given.get("user", "")
        with self._lock:
            made_at, token = self._tokens.get(place, (0.0, ""))
            if not 0 <= self._clock() - made_at < TOKEN_SECONDS:
                try:
                    made_at, token = self._clock(), self._sign(*place)
                except AwsUnavailable as error:
                    raise psycopg2.OperationalError(str(error)) from error
                self._tokens[place] = made_at, token
        return {"password": token}

    def renew(self) -> bool:
        """Forget the tokens that are not new; see `Login`."""
        with self._lock:
            kept = {
                place: (made_at, token)
                for place, (made_at, token) in self._tokens.items()
                if 0 <= self._clock() - made_at < RENEWED_SECONDS
            }
            is_old = len(kept) < len(self._tokens)
            self._tokens = kept
        return is_old


class SecretLogin:
    """The login of a URL that is kept as a secret, which may be changed while this process runs.

    Args:
        read: returns the URL as it is now, or raises `SettingError`.
        clock: monotonic seconds.
    """

    def __init__(
        self, read: Callable[[], str | None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read, self._clock = read, clock
        self._login: dict[str, str] = {}
        self._renewed_at = float("-inf")
        self._lock = threading.Lock()

    def parameters(self, _: Mapping[str, str], /) -> Mapping[str, str]:
        """Return what was read last; see `Login`."""
        return self._login

    def renew(self) -> bool:
        """Read the secret again, unless that was a moment ago; see `Login`."""
        with self._lock:
            if self._clock() - self._renewed_at < RENEWED_SECONDS:
                return bool(self._login)
            self._renewed_at = self._clock()
            try:
                found = parse_url(self._read() or "")
            except SettingError:
                return False  # as long as the secret cannot be read, the server's refusal stands
            self._login = {name: found[name] for name in ("user", "password") if name in found}
            return bool(self._login)


def is_refusal(error: psycopg2.Error) -> bool:
    """Return whether the server answered, and refused a new connection.

    psycopg2 has no SQLSTATE of connections; their text begins with the severity (PostgreSQL,
    "Error and Notice Message Fields").
    """
    return "FATAL" in str(error)


def parse_url(url: str) -> dict[str, str]:
    """Return the parameters of a URL, or of another DSN of libpq.

    Raises:
        SettingError: libpq cannot read it.
    """
    try:
        parsed: dict[str, str] = extensions.parse_dsn(url)
    except psycopg2.ProgrammingError:
        # Its text may have parts of a password.
        raise SettingError("DATABASE_URL: not a URL that PostgreSQL's libpq can read") from None
    return parsed
