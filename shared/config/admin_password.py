"""The admin's password: the default one works in a local run only."""

from __future__ import annotations

from shared.config.settings import Settings
from shared.errors import SettingError
from shared.passwords import hash_password, verify

DEFAULT_PASSWORD = "admin"  # noqa: S105  # refused outside a local run
"""The password of a local run that sets none."""


def admin_password_hash(settings: Settings) -> str:
    """Return the hash of the password that logs in to the admin.

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
    given = settings.admin_password_hash
    if given is None:
        if not settings.local_run:
            raise SettingError("ADMIN_PASSWORD_HASH is not set (./sync hash-password)")
        return hash_password(DEFAULT_PASSWORD)
    try:
        default = verify(DEFAULT_PASSWORD, given)
    except ValueError as error:
        raise SettingError(f"ADMIN_PASSWORD_HASH: {error}") from error
    if default and not settings.local_run:
        raise SettingError("ADMIN_PASSWORD_HASH: the default password is for local runs only")
    return given
