"""A stack that is deployed on AWS: its outputs, and its secrets, through boto3."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from shared.errors import AwsRefused, AwsUnavailable, SettingError


class DeployedStack:
    """A stack of template.yaml, found with the user's own credentials and region.

    Args:
        name: of the stack.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @cached_property
    def outputs(self) -> Mapping[str, str]:
        """The stack's outputs by their names.

        Raises:
            AwsRefused: there is no such stack, or it must not be read.
            AwsUnavailable: AWS is unreachable, or region or credentials are missing.
            SettingError: the stack has no address, such as while it is created.
        """
        with _errors():
            [stack] = _client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        found = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())}
        if "ApiUrl" not in found:
            raise SettingError(
                f"stack {self.name} has no output ApiUrl; its status is {stack['StackStatus']}: "
                "has its deployment finished?"
            )
        return found

    def secret(self, output: str) -> dict[str, str]:
        """Return the fields of the secret whose ARN an output has.

        Raises:
            AwsRefused, AwsUnavailable, SettingError: as `outputs`.
        """
        arn = self.outputs[output]
        with _errors():
            text = _client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
        fields: dict[str, str] = json.loads(text)
        return fields

    def put_secret(self, output: str, fields: Mapping[str, str]) -> None:
        """Change that secret.

        Raises:
            AwsRefused, AwsUnavailable, SettingError: as `outputs`.
        """
        arn, text = self.outputs[output], json.dumps(fields)
        with _errors():
            _client("secretsmanager").put_secret_value(SecretId=arn, SecretString=text)


def _client(service: str) -> Any:
    return boto3.client(service)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        raise AwsRefused(error.response["Error"]["Message"]) from error
    except BotoCoreError as error:
        raise AwsUnavailable(" ".join(str(error).split())) from error
