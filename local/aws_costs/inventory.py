"""What a stack has that is paid for by number, time or use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

from local.aws_costs.stack import Document, Stack
from local.schedule_expressions import Cron, Rate, parse

HOURS = 730
SECONDS = HOURS * 3_600
"""A month's, on average."""

_MEMORY_MB = 128
_BATCH, _WINDOW_SECONDS = 10, 0.0
"""AWS's defaults of functions and of the event source mappings of SQS; RabbitMQ's have others, and
the template sets them."""

SQS_POLLERS = 5
"""Batches of an SQS queue that Lambda gathers at the same time to begin with (developer guide,
"Understanding polling and batching behavior for Amazon SQS event source mappings")."""

_FUNCTION = "AWS::Serverless::Function"
_SCHEDULES = {"Schedule": "Schedule", "ScheduleV2": "ScheduleExpression"}

COUNTED = frozenset(
    {
        _FUNCTION,
        "AWS::AmazonMQ::Broker",
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::CompositeAlarm",
        "AWS::CloudWatch::Dashboard",
        "AWS::EC2::EIP",
        "AWS::EC2::NatGateway",
        "AWS::EC2::VPCEndpoint",
        "AWS::EFS::FileSystem",
        "AWS::ElastiCache::CacheCluster",
        "AWS::KMS::Key",
        "AWS::Logs::MetricFilter",
        "AWS::RDS::DBInstance",
        "AWS::RDS::DBProxy",
        "AWS::SQS::Queue",
        "AWS::SecretsManager::Secret",
        "AWS::Serverless::HttpApi",
        "AWS::WAFv2::WebACL",
    }
)
"""Types whose costs are estimated."""

FREE = frozenset(
    {
        "AWS::CloudFormation::CustomResource",
        "AWS::CloudFormation::Stack",
        "AWS::EC2::InternetGateway",
        "AWS::EC2::NetworkAcl",
        "AWS::EC2::NetworkAclEntry",
        "AWS::EC2::Route",
        "AWS::EC2::RouteTable",
        "AWS::EC2::SecurityGroup",
        "AWS::EC2::SecurityGroupEgress",
        "AWS::EC2::SecurityGroupIngress",
        "AWS::EC2::Subnet",
        "AWS::EC2::SubnetRouteTableAssociation",
        "AWS::EC2::VPC",
        "AWS::EC2::VPCGatewayAttachment",
        "AWS::EFS::AccessPoint",
        "AWS::EFS::MountTarget",
        "AWS::ElastiCache::SubnetGroup",
        "AWS::Events::Rule",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::KMS::Alias",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Url",
        "AWS::Logs::LogGroup",
        "AWS::RDS::DBParameterGroup",
        "AWS::RDS::DBProxyTargetGroup",
        "AWS::RDS::DBSubnetGroup",
        "AWS::SNS::Subscription",
        "AWS::SNS::Topic",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::QueuePolicy",
        "AWS::SecretsManager::ResourcePolicy",
        "AWS::SecretsManager::RotationSchedule",
        "AWS::SecretsManager::SecretTargetAttachment",
        "AWS::WAFv2::WebACLAssociation",
    }
)
"""Types that cost nothing by themselves; what runs through them is counted where it begins. The
emails of a topic are too few to count."""


@dataclass(frozen=True, slots=True)
class Function:
    """A Lambda function.

    Attributes:
        name: of its folder in `functions/`, or its logical id.
        memory_gb: what its time is multiplied with.
        runs: of its schedules, in a month.
        secrets: that a new execution environment fetches.
        is_traced: whether X-Ray gets traces of it.
        logs_info: whether its lines of level INFO are kept.
    """

    name: str
    memory_gb: float
    runs: float
    secrets: int
    is_traced: bool
    logs_info: bool


@dataclass(frozen=True, slots=True)
class Batching:
    """How an event source mapping gathers messages.

    Attributes:
        size: messages of a batch, at most.
        window_seconds: how long it waits for more.
        pollers: batches gathered at the same time while little arrives.
    """

    size: int
    window_seconds: float
    pollers: int


class Inventory:
    """What a stack has.

    Args:
        stack: the stack.
    """

    def __init__(self, stack: Stack) -> None:
        self._resources = list(stack.resources())
        common = stack.globals
        self.functions = tuple(
            _function({**common, **properties}, common, name)
            for name, kind, properties in self._resources
            if kind == _FUNCTION
        )

    @property
    def unknown(self) -> list[str]:
        """Return the types that are neither counted nor known to be free.

        A custom resource is one of the functions, invoked now and then.
        """
        kinds = {kind for _, kind, _ in self._resources} - COUNTED - FREE
        return sorted(kind for kind in kinds if not kind.startswith("Custom::"))

    def of(self, kind: str) -> list[Document]:
        """Return the properties of all resources of a type."""
        return [properties for _, found, properties in self._resources if found == kind]

    def count(self, kind: str) -> int:
        """Return how many resources of a type there are."""
        return len(self.of(kind))

    @property
    def secrets(self) -> int:
        """Return how many secrets there are, those that RDS makes included."""
        managed = [d for d in self.of("AWS::RDS::DBInstance") if _is(d, "ManageMasterUserPassword")]
        return self.count("AWS::SecretsManager::Secret") + len(managed)

    @property
    def alarm_metrics(self) -> int:
        """Return how many metrics alarms watch: an alarm on an expression watches several."""
        return sum(
            sum("MetricStat" in metric for metric in alarm.get("Metrics", ())) or 1
            for alarm in self.of("AWS::CloudWatch::Alarm")
        )

    @property
    def filtered_metrics(self) -> int:
        """Return how many metrics are made of log lines."""
        transformations = chain.from_iterable(
            one["MetricTransformations"] for one in self.of("AWS::Logs::MetricFilter")
        )
        return len({(one["MetricNamespace"], one["MetricName"]) for one in transformations})

    @property
    def endpoint_zones(self) -> int:
        """Return in how many availability zones interface endpoints are, added up."""
        return sum(
            len(endpoint.get("SubnetIds", ()))
            for endpoint in self.of("AWS::EC2::VPCEndpoint")
            if endpoint.get("VpcEndpointType") == "Interface"
        )

    def batching(self, function: str, *, sqs: bool) -> Batching:
        """Return how a function's messages are gathered.

        Args:
            function: name of its folder.
            sqs: whether SQS holds them, or RabbitMQ.
        """
        for mapping in self._mappings(function):
            if sqs == ("SourceAccessConfigurations" not in mapping):
                most = mapping.get("ScalingConfig", {}).get("MaximumConcurrency", SQS_POLLERS)
                return Batching(
                    int(mapping.get("BatchSize", _BATCH)),
                    float(mapping.get("MaximumBatchingWindowInSeconds", _WINDOW_SECONDS)),
                    min(SQS_POLLERS, int(most)) if sqs else 1,
                )
        return Batching(_BATCH, _WINDOW_SECONDS, SQS_POLLERS if sqs else 1)

    def _mappings(self, function: str) -> Iterator[Document]:
        """Yield a function's event source mappings, those of its events included."""
        for name, kind, properties in self._resources:
            if kind == _FUNCTION and _folder(properties, name) == function:
                events = properties.get("Events", {}).values()
                yield from (e["Properties"] for e in events if e["Type"] in {"MQ", "SQS"})
                yield from (
                    mapping
                    for mapping in self.of("AWS::Lambda::EventSourceMapping")
                    if mapping["FunctionName"] in {name, f"{name}.Arn"}
                )


def _function(properties: Document, common: Document, logical_id: str) -> Function:
    environment = {**_variables(common), **_variables(properties)}
    secrets = {str(v).partition("#")[0] for k, v in environment.items() if k.endswith("_ARN")}
    return Function(
        name=_folder(properties, logical_id),
        memory_gb=properties.get("MemorySize", _MEMORY_MB) / 1024,
        runs=sum(map(_runs, properties.get("Events", {}).values())),
        secrets=len(secrets),
        is_traced=properties.get("Tracing") == "Active",
        logs_info=environment.get("LOG_LEVEL", "INFO") in {"DEBUG", "INFO"},
    )


def _variables(properties: Document) -> Mapping[str, Any]:
    found: Mapping[str, Any] = properties.get("Environment", {}).get("Variables", {})
    return found


def _folder(properties: Document, logical_id: str) -> str:
    parts = str(properties.get("Handler", "")).split(".")
    return parts[1] if parts[0] == "functions" else logical_id


def _runs(event: Document) -> float:
    """Return how often an event runs its function in a month, if it is a schedule."""
    if event["Type"] not in _SCHEDULES or not _is(event["Properties"], "Enabled", default=True):
        return 0
    match parse(event["Properties"][_SCHEDULES[event["Type"]]]):
        case Rate(seconds=seconds):
            return SECONDS / seconds
        case Cron() as cron:
            return _times(cron)
    return 0


def _times(cron: Cron) -> int:
    """Return how often it runs in a month of 31 days."""
    begin, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    moment, number = cron.next_after(begin - timedelta(seconds=1)), 0
    while moment is not None and moment < end:
        moment, number = cron.next_after(moment), number + 1
    return number


def _is(properties: Document, name: str, *, default: bool = False) -> bool:
    """Return a property that is true, or the text of it."""
    return str(properties.get(name, default)).lower() == "true"
