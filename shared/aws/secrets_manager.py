"""Secrets of AWS Secrets Manager, all those of a region in one request.

See docs/decisions/0046-cold-start.md for why not one by one, and 0039 for why without boto3.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from shared.deadline import within
from shared.errors import AwsRefused, AwsUnavailable, SecretsUnavailable, SettingError

if TYPE_CHECKING:
    from shared.aws.json_api import JsonApi

SECONDS = 3.0
"""For one request; AWS answers within hundredths of a second."""

_ARN = re.compile(
    r"arn:(?P<partition>[^:]*):secretsmanager:(?P<region>[^:]*):[^:]*:[^:]*:.*", re.DOTALL
)
"""`arn:partition:secretsmanager:region:account:secret:name` (AWS, "Amazon resource names")."""

Text = str | SettingError
"""A secret's text, or why it cannot be read; the error holds AWS's code and no value."""


class SecretsManager:
    """Read secrets with the process's own AWS credentials."""

    def __call__(self, arns: Iterable[str]) -> dict[str, Text]:
        """Return the texts of secrets.

        Args:
            arns: their whole ARNs, which name the region, too; at most 20 of a region (Secrets
                Manager API reference, "BatchGetSecretValue").

        Raises:
            SecretsUnavailable: AWS does not answer, or there are no credentials.
        """
        # With it come HTTP and TLS, which a process whose settings are plain values does not need.
        from shared.aws.json_api import SECRETS_MANAGER, JsonApi

        texts: dict[str, Text] = {}
        regions: dict[tuple[str, str], list[str]] = {}
        for arn in arns:
            if match := _ARN.fullmatch(arn):
                regions.setdefault((match["region"], match["partition"]), []).append(arn)
            else:
                texts[arn] = SettingError("not the ARN of a Secrets Manager secret")
        for (region, partition), of_region in regions.items():
            api = JsonApi(SECRETS_MANAGER, region, partition)
            try:
                texts |= _together(api, of_region) if len(of_region) > 1 else {}
                texts |= {arn: _alone(api, arn) for arn in of_region if arn not in texts}
            except AwsUnavailable as error:
                raise SecretsUnavailable(error.about) from error
            finally:
                api.close()  # the next request follows minutes later, if at all
        return texts


def _together(api: JsonApi, arns: list[str]) -> dict[str, Text]:
    """Return the texts of several secrets, none where this may only be asked for each of them."""
    try:
        answer = api("BatchGetSecretValue", {"SecretIdList": arns}, within(SECONDS))
    except AwsRefused:
        return {}
    texts: dict[str, Text] = {value["ARN"]: _text(value) for value in answer["SecretValues"]}
    return texts | {e["SecretId"]: _unreadable(e["ErrorCode"]) for e in answer.get("Errors", ())}


def _alone(api: JsonApi, arn: str) -> Text:
    try:
        return _text(api("GetSecretValue", {"SecretId": arn}, within(SECONDS)))
    except AwsRefused as refused:
        return _unreadable(refused.about)


def _text(value: Mapping[str, Any]) -> Text:
    text: str | None = value.get("SecretString")
    return SettingError("the secret is binary, not text") if text is None else text


def _unreadable(code: str) -> SettingError:
    return SettingError(f"the secret cannot be read ({code})")
