"""The stacks of template.yaml and aws/alarms.yaml, read without SAM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.aws.stack import Stack
from tests.docs.examples import template
from tests.helpers.paths import ROOT

SERVICE = template(ROOT / "template.yaml")
ALARMS = template(ROOT / "aws" / "alarms.yaml")
EVERYTHING = {
    "SourceBucketName": "client-bucket",
    "CallbackUrl": "https://client.test/hook",
    "S3Events": "eventbridge",
    "AlarmEmail": "ops@example.org",
}
"""Parameters of a stack that has every alarm."""
OWN_SERVERS: dict[str, str] = {
    "VpcId": "vpc-0123456789abcdef0",
    "SubnetIds": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
    "FunctionSecurityGroupId": "sg-0123456789abcdef0",
    "DatabaseUrlSecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf",
    "BrokerArn": "arn:aws:mq:eu-west-1:123456789012:broker:b:b-1",
    "BrokerCredentialsSecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mq-AbCdEf",
    "RabbitmqUrlSecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:url-AbCdEf",
    "FileSystemId": "fs-0123456789abcdef0",
    "AccessPointArn": "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-1",
}
"""Parameters of a stack that makes no server."""


def service(parameters: Mapping[str, str] = EVERYTHING) -> Stack:
    """Return the stack of the service itself, with SAM's resources as they are written."""
    return Stack(SERVICE, parameters)


def alarm_stack(parameters: Mapping[str, str] = EVERYTHING) -> Stack:
    """Return the stack of alarms that the service's nests."""
    [nested] = service(parameters).resources("AWS::CloudFormation::Stack").values()
    return Stack(ALARMS, nested["Parameters"])


def alarms(parameters: Mapping[str, str] = EVERYTHING) -> dict[str, dict[str, Any]]:
    """Return the properties of every alarm, by its logical id."""
    return alarm_stack(parameters).resources("AWS::CloudWatch::Alarm")
