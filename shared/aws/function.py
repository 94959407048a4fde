"""Starting another function without waiting for it, through boto3, imported at the first start."""

from __future__ import annotations

import logging
from typing import Any

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 2
READ_SECONDS = 3
"""Lambda answers 202 as soon as the event is queued."""


class Function:
    """A function on AWS Lambda, in this process's own region.

    Args:
        name: of the function.
        region: only tests give one.
    """

    def __init__(self, name: str, region: str | None = None) -> None:
        self._name = name
        self._region = region
        self._client: Any = None

    def start(self) -> bool:
        """Start it, and return whether Lambda took the event; if not, the log has the reason."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._connected().invoke(FunctionName=self._name, InvocationType="Event", Payload=b"{}")
        except (BotoCoreError, ClientError) as error:
            reason = " ".join(str(error).split())
            logger.warning("function not started", extra={"function": self._name, "reason": reason})
            return False
        return True

    def _connected(self) -> Any:
        import boto3
        from botocore.config import Config

        if self._client is None:
            config = Config(
                connect_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                retries={"total_max_attempts": 1, "mode": "standard"},
            )
            self._client = boto3.client("lambda", region_name=self._region, config=config)
        return self._client
