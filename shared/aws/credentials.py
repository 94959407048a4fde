"""AWS credentials of this process, of this moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.config.settings import environment
from shared.errors import AwsUnavailable


@dataclass(frozen=True, slots=True)
class Credentials:
    """Keys of this moment."""

    access_key: str
    secret_key: str
    token: str | None

    def __repr__(self) -> str:
        """Return the class's name alone: the rest is secret."""
        return "Credentials()"


def own_credentials(variables: Mapping[str, str] | None = None) -> Credentials:
    """Return the credentials of this process.

    Lambda sets them as variables (AWS Lambda, "Defined runtime environment variables"), so that a
    function needs no boto3 for them. Elsewhere boto3 looks for them where it always does.

    Args:
        variables: by default the process's own environment.

    Raises:
        AwsUnavailable: there are none.
    """
    given = environment() if variables is None else variables
    access_key = given.get("AWS_ACCESS_KEY_ID", "")
    secret_key = given.get("AWS_SECRET_ACCESS_KEY", "")
    if access_key and secret_key:
        return Credentials(access_key, secret_key, given.get("AWS_SESSION_TOKEN") or None)
    try:
        from boto3 import Session
        from botocore.exceptions import BotoCoreError
    except ImportError:
        raise AwsUnavailable("no AWS credentials found") from None
    try:
        found = Session().get_credentials()
        keys = found and found.get_frozen_credentials()
    except BotoCoreError as error:
        raise AwsUnavailable(type(error).__name__) from error
    if keys is None:
        raise AwsUnavailable("no AWS credentials found")
    return Credentials(keys.access_key, keys.secret_key, keys.token)
