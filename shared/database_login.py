"""How the settings say to log in to the database; `migrate` needs no more of the adapters."""

from __future__ import annotations

from datetime import UTC, datetime

from shared.aws.credentials import own_credentials
from shared.aws.database_token import database_token
from shared.config import secrets
from shared.config.settings import Settings, environment, needed
from shared.ledger.logins import Login, SecretLogin, TokenLogin


def database_login(settings: Settings) -> Login | None:
    """Return how to log in to the database, None if as `DATABASE_URL` says.

    Args:
        settings: the settings.

    Raises:
        SettingError: `DATABASE_AUTH` needs a setting that is missing.
    """
    if settings.database_auth == "iam":
        variables = environment()
        region = variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION")
        region = needed(region or None, "AWS_REGION")

        def sign(host: str, port: str, user: str) -> str:
            now = datetime.now(UTC)
            return database_token(own_credentials(), host, port, user, region=region, now=now)

        return TokenLogin(needed(settings.database_url, "DATABASE_URL"), sign)
    if environment().get("DATABASE_URL_ARN"):
        return SecretLogin(lambda: secrets.reread(settings, ("DATABASE_URL",)).database_url)
    return None
