"""Who may log in: one user, whose password is known by its hash alone."""

from __future__ import annotations

import hmac
import logging

from shared.config.parsers import RateLimit
from shared.errors import SettingError
from shared.http.rate_limit import Limited, RateLimiter
from shared.passwords import hash_password, verify

logger = logging.getLogger(__name__)

DEFAULT_PASSWORD = "admin"  # refused everywhere else  # noqa: S105
"""The original's own, for a local run alone."""


def password_hash(given: str | None, *, local_run: bool) -> str:
    """Decides which password is valid.

    Args:
        given: the setting `ADMIN_PASSWORD_HASH`.
        local_run: the default password will do.

    Raises:
        SettingError: outside a local run the hash is missing or the default password's, or it
            is no hash at all.
    """
    if given is None:
        if not local_run:
            raise SettingError("ADMIN_PASSWORD_HASH is not set (./sync hash-password)")
        return hash_password(DEFAULT_PASSWORD)
    try:
        default = verify(DEFAULT_PASSWORD, given)
    except ValueError as error:
        raise SettingError(f"ADMIN_PASSWORD_HASH: {error}") from error
    if default and not local_run:
        raise SettingError("ADMIN_PASSWORD_HASH: the default password is for local runs only")
    return given


class Login:
    """Checks names and passwords.

    Args:
        user: the only user's name.
        hashed: the hash of the password.
        limiter: counts tries.
        limit: tries from one address.
    """

    def __init__(self, user: str, hashed: str, limiter: RateLimiter, limit: RateLimit) -> None:
        self._user = user
        self._hashed = hashed
        self._limiter = limiter
        self._limit = limit

    def check(self, user: str, password: str, address: str) -> bool:
        """Tells whether somebody may log in; a wrong name takes as long as a wrong password.

        Raises:
            TooManyRequests: the address has tried too often.
        """
        self._limiter.check([Limited(f"login:{address}", self._limit)])
        known = hmac.compare_digest(user.encode(), self._user.encode())
        valid = verify(password, self._hashed)
        logger.info("login", extra={"accepted": known and valid, "address": address})
        return known and valid
