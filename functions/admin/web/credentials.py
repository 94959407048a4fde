"""Credentials: one user, whose password is known only by its hash."""

from __future__ import annotations

import hmac
import logging

from shared.config.parsers import RateLimit
from shared.config.renewal import mark_stale
from shared.http.client_address import limited_as
from shared.http.rate_limit import Limited, RateLimiter
from shared.passwords import verify

logger = logging.getLogger(__name__)


class Credentials:
    """Checks names and passwords.

    Args:
        user: the only user's name.
        hashed: the hash of the password.
        limiter: counts login attempts.
        limit: attempts from one address.
    """

    def __init__(self, user: str, hashed: str, limiter: RateLimiter, limit: RateLimit) -> None:
        self._user = user
        self._hashed = hashed
        self._limiter = limiter
        self._limit = limit

    def valid(self, user: str, password: str, address: str) -> bool:
        """Return whether name and password are right.

        A wrong name takes as long as a wrong password, so that timing reveals nothing.

        Args:
            user: the name that was entered.
            password: the password that was entered.
            address: where the attempt comes from.

        Raises:
            TooManyRequests: too many attempts from this address.
        """
        self._limiter.check([Limited(f"login:{limited_as(address)}", self._limit)])
        known = hmac.compare_digest(user.encode(), self._user.encode())
        valid = verify(password, self._hashed)
        logger.info("login", extra={"accepted": known and valid, "address": address})
        if not valid:
            mark_stale()  # the hash: the password may have been changed
        return known and valid
