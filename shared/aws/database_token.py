"""IAM authentication tokens, which Amazon RDS takes in place of a password."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode

from shared.aws.credentials import Credentials
from shared.aws.signing import presigned_url

VALID_SECONDS = 900
"""The only time that RDS takes (Amazon RDS, "IAM database authentication")."""


def database_token(
    credentials: Credentials, host: str, port: str, user: str, *, region: str, now: datetime
) -> str:
    """Return a token to log in with, as the AWS SDKs' `generate_db_auth_token` makes it.

    Args:
        credentials: to sign with.
        host: of the database, as RDS calls it.
        port: of the database.
        user: that logs in.
        region: of the database.
        now: the time, in UTC.
    """
    query = urlencode({"Action": "connect", "DBUser": user})
    url = presigned_url(
        credentials,
        f"https://{host}:{port}/?{query}",
        VALID_SECONDS,
        service="rds-db",
        region=region,
        now=now,
    )
    return url.removeprefix("https://")
