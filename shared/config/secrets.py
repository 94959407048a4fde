"""Secrets by reference: settings that name an AWS Secrets Manager secret instead of a value.

A setting `NAME` may be given as `NAME_ARN`, the ARN of a secret whose text is the value. Where
the secret is a JSON object, `ARN#key` takes one of its fields, so that a pair of keys can be
changed in one step. A composition root calls `resolve` once, when its process starts; that is the
once per cold start that AWS advises, and why a changed secret needs new processes.
"""

from __future__ import annotations

import json
from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from shared.config.settings import Settings
from shared.errors import SettingError

SUFFIX = "_ARN"

CONNECT_SECONDS = 2
"""Seconds and tries within the ten that a function behind HTTP has for its whole first answer."""

READ_SECONDS = 3
TRIES = 2


class SecretsManager:
    """Reads secrets with the process's own AWS credentials.

    boto3 is imported when the first secret is asked for, so that a process whose settings are
    plain values neither needs it nor waits for it.
    """

    def __init__(self) -> None:
        self._clients: dict[str, Any] = {}

    def __call__(self, arn: str) -> str:
        """Gives the text of a secret.

        Args:
            arn: its whole ARN, which names the region too.

        Raises:
            SettingError: it cannot be read; the text holds AWS's error code and no value.
        """
        import boto3  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        parts = arn.split(":")
        if len(parts) < 7 or parts[0] != "arn" or parts[2] != "secretsmanager":  # noqa: PLR2004
            raise SettingError("not the ARN of a Secrets Manager secret")
        region = parts[3]
        try:
            if region not in self._clients:
                config = Config(
                    connect_timeout=CONNECT_SECONDS,
                    read_timeout=READ_SECONDS,
                    retries={"total_max_attempts": TRIES, "mode": "standard"},
                )
                self._clients[region] = boto3.client(
                    "secretsmanager", region_name=region, config=config
                )
            answer = self._clients[region].get_secret_value(SecretId=arn)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            raise SettingError(f"the secret cannot be read ({code})") from error
        except BotoCoreError as error:
            code = type(error).__name__
            raise SettingError(f"the secret cannot be read ({code})") from error
        text: str | None = answer.get("SecretString")
        if text is None:
            raise SettingError("the secret is binary, not text")
        return text


def resolve(
    environment: Mapping[str, str], fetch: Callable[[str], str] | None = None
) -> Mapping[str, str]:
    """Replaces every setting given by reference by its value.

    Args:
        environment: variable names to texts, the process's own for example.
        fetch: gives the text of the secret with an ARN, and raises `SettingError`; AWS Secrets
            Manager where none is given. It is called once for each ARN.

    Returns:
        The same variables, with `NAME` for each `NAME_ARN` that belongs to a setting.

    Raises:
        SettingError: a secret cannot be read or has another shape, or a setting is given both
            ways; the text names the variable, never a value.
    """
    fetch = fetch or SecretsManager()
    texts: dict[str, str] = {}
    values: dict[str, str] = {}
    for name in (item.metadata["name"] for item in fields(Settings)):
        variable = f"{name}{SUFFIX}"
        reference = environment.get(variable)
        if not reference:
            continue
        if environment.get(name):
            raise SettingError(f"{name} and {variable} are both set")
        arn, _, key = reference.partition("#")
        try:
            if arn not in texts:
                texts[arn] = fetch(arn)
            values[name] = _field(texts[arn], key) if key else texts[arn]
        except SettingError as error:
            raise SettingError(f"{variable}: {error.about}") from error.__cause__
    return ChainMap(values, dict(environment))


def _field(text: str, key: str) -> str:
    try:
        document = json.loads(text)
    except ValueError:
        # The parser's own error would carry the secret along.
        raise SettingError("the secret is not JSON, yet one of its fields is asked for") from None
    value = document.get(key) if isinstance(document, dict) else None
    if not isinstance(value, str):
        raise SettingError(f"the secret has no text named {key}")
    return value
