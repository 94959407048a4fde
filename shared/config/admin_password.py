"""The admin's password: the default one works in a local run only."""

from __future__ import annotations

from shared.config.settings import Settings
from shared.errors import SettingError
from shared.passwords import hash_password, verify

DEFAULT_PASSWORD = "admin"  # noqa: S105  # refused outside a local run
"""The password of a local run that sets none."""


PASSWORD_CHARACTERS = 8
"""Least length of a password where others reach the service (NIST SP 800-63B, section 5.1.1.2);
logins are limited by `RATE_LIMIT_LOGIN`."""


def admin_password_hash(settings: Settings) -> str:
    """Return the hash of the password that logs in to the admin.

    `ADMIN_PASSWORD` counts as its hash does; each process hashes it again.

    ===================  ===============  ============
    ADMIN_PASSWORD_HASH  local run        elsewhere
    ===================  ===============  ============
    (not set)            default's        SettingError
    default's            default's        SettingError
    another's            that             that
    no hash              SettingError     SettingError
    ===================  ===============  ============

    Raises:
        SettingError: as the table says.
    """
    if settings.admin_password is not None:
        return hash_password(_allowed(settings.admin_password, settings))
    given = settings.admin_password_hash
    if given is None:
        if not settings.local_run:
            raise SettingError(
                "neither ADMIN_PASSWORD nor ADMIN_PASSWORD_HASH is set (./sync hash-password)"
            )
        return hash_password(DEFAULT_PASSWORD)
    try:
        default = verify(DEFAULT_PASSWORD, given)
    except ValueError as error:
        raise SettingError(f"ADMIN_PASSWORD_HASH: {error}") from error
    if default and not settings.local_run:
        raise SettingError("ADMIN_PASSWORD_HASH: the default password is for local runs only")
    return given


def _allowed(password: str, settings: Settings) -> str:
    if settings.admin_password_hash is not None:
        raise SettingError("ADMIN_PASSWORD and ADMIN_PASSWORD_HASH are both set")
    if not settings.local_run and len(password) < PASSWORD_CHARACTERS:
        raise SettingError(
            f"ADMIN_PASSWORD: at least {PASSWORD_CHARACTERS} characters are needed"
            " where others reach the service"
        )
    return password
