"""Secrets that are rotated: read again by a process that goes on, so that no deployment is needed.

On Lambda alone, where an execution environment may live for hours and nobody can restart it. There
it has one invocation at a time, so that between two of them what was built from the old secrets can
be closed and forgotten. Elsewhere a process is restarted.

==================================================  =============================================
secrets                                             are read again
==================================================  =============================================
a server was unreachable or refused                 at the next invocation
no key fits a request's signature                   at once, and the request is tried again
were read `MAX_AGE_SECONDS` ago or longer           at the next invocation
were read again `MIN_INTERVAL_SECONDS` ago or less  not yet: anyone can send a wrong signature
==================================================  =============================================
"""

from __future__ import annotations

import logging
import math
import time
from collections import ChainMap
from collections.abc import Callable, Mapping

from shared.config import secrets
from shared.config.process_cache import forget_all
from shared.config.settings import Settings, environment
from shared.config.shutdown import close_all
from shared.errors import SettingError

logger = logging.getLogger(__name__)

MIN_INTERVAL_SECONDS = 30.0
"""Between two readings, the first one not counted: it may have come just before a rotation."""

MAX_AGE_SECONDS = 300.0
"""After which a key that was withdrawn is accepted no longer; the default of AWS's own extension
("AWS Parameters and Secrets Lambda Extension", SECRETS_MANAGER_TTL)."""


class Renewal:
    """The secrets of a process as they were last read.

    Args:
        fetch: as of `secrets.resolve`.
        clock: seconds since 1970; a clock that stands still while an execution environment is
            frozen would not do.
    """

    def __init__(
        self, fetch: secrets.Fetch | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._references: dict[str, str] = {}
        self._values: dict[str, str] = {}
        self._read_at = self._renewed_at = -math.inf
        self._stale = False

    def resolve(self, variables: Mapping[str, str]) -> Mapping[str, str]:
        """Return what `secrets.resolve` does, without reading the same secrets a second time.

        Raises:
            SettingError: as of `secrets.resolve`.
        """
        references = secrets.references(variables)
        if references != self._references:
            self._values = secrets.read(references, self._fetch)
            self._references, self._read_at = references, self._clock()
        return ChainMap(self._values, dict(variables))

    def mark_stale(self) -> None:
        """Note that a server could not be reached or refuses: a secret may have changed."""
        self._stale = True

    @property
    def is_due(self) -> bool:
        """Whether the secrets are to be read again before the next invocation."""
        age = self._clock() - self._read_at
        return bool(self._references) and (age >= MAX_AGE_SECONDS or self._stale)

    def renew(self, variables: Mapping[str, str]) -> bool:
        """Read the secrets again, and return whether one has changed.

        Where they cannot be read, or the new ones are invalid, the old ones stay, and the log has
        the reason.

        Args:
            variables: the process's own environment.
        """
        now = self._clock()
        if not self._references or now - self._renewed_at < MIN_INTERVAL_SECONDS:
            return False
        self._read_at = self._renewed_at = now
        self._stale = False
        try:
            values = secrets.read(self._references, self._fetch)
            Settings.from_mapping(ChainMap(values, dict(variables))).require_long_keys()
        except SettingError as error:
            logger.warning("secrets not renewed, the old ones stay in use", extra={"reason": error})
            return False
        changed = values != self._values
        self._values = values
        return changed


process = Renewal()
"""This process's."""

mark_stale = process.mark_stale


def renew_if_due() -> None:
    """Renew what is built from secrets, if they are old or marked stale and have changed."""
    if process.is_due:
        renew()


def renew() -> bool:
    """Read the secrets again, and forget what was built from them if one has changed.

    Returns:
        Whether one has: the next call of a composition root builds anew.
    """
    variables = environment()
    if not variables.get("AWS_LAMBDA_FUNCTION_NAME") or not process.renew(variables):
        return False
    close_all()
    forget_all()
    logger.info("secrets changed, services built anew")
    return True
