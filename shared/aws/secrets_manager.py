"""Secrets of AWS Secrets Manager through boto3, which is imported when the first is asked for.

So a process whose settings are plain values neither needs boto3 nor waits for it.
"""

from __future__ import annotations

import re
from typing import Any

from shared.errors import SettingError

CONNECT_SECONDS = 2
READ_SECONDS = 3
ATTEMPTS = 2
"""All within the ten seconds that a function behind HTTP has for its whole first response."""

_ARN = re.compile(r"arn:[^:]*:secretsmanager:(?P<region>[^:]*):[^:]*:[^:]*:.*", re.DOTALL)
"""`arn:partition:secretsmanager:region:account:secret:name` (AWS, "Amazon resource names")."""


class SecretsManager:
    """Read secrets with the process's own AWS credentials, with one client for each region."""

    def __init__(self) -> None:
        self._clients: dict[str, Any] = {}

    def __call__(self, arn: str) -> str:
        """Return the text of a secret.

        Args:
            arn: its whole ARN, which names the region too.

        Raises:
            SettingError: it cannot be read; the text holds AWS's error code and no value.
        """
        match = _ARN.fullmatch(arn)
        if match is None:
            raise SettingError("not the ARN of a Secrets Manager secret")
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self._client(match["region"]).get_secret_value(SecretId=arn)
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

    def _client(self, region: str) -> Any:
        import boto3
        from botocore.config import Config

        if region not in self._clients:
            config = Config(
                connect_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
            )
            self._clients[region] = boto3.client(
                "secretsmanager", region_name=region, config=config
            )
        return self._clients[region]
