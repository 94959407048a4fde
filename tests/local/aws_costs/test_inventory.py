from __future__ import annotations

from pathlib import Path

import pytest

from local.aws_costs.inventory import SECONDS, Batching, Function, Inventory
from local.aws_costs.stack import Stack, read
from local.template import TEMPLATE
from tests.local.aws_costs.templates import inventory

FUNCTIONS = """
Globals:
  Function:
    Tracing: Active
    Environment: {Variables: {LOG_LEVEL: WARNING}}
Resources:
  RequeueFunction:
    Type: AWS::Serverless::Function
    Properties:
      Handler: functions.requeue.handler.handler
      MemorySize: 256
      Environment:
        Variables:
          LOG_LEVEL: INFO
          DATABASE_URL_ARN: !Ref DatabaseUrl
          KEY_ARN: !Sub ${Keys}#current
          KEY_PREVIOUS_ARN: !Sub ${Keys}#previous
      Events:
        Often: {Type: Schedule, Properties: {Schedule: rate(1 minute)}}
        Daily: {Type: ScheduleV2, Properties: {ScheduleExpression: "cron(0 3 * * ? *)"}}
        Never: {Type: Schedule, Properties: {Schedule: rate(1 minute), Enabled: false}}
        Post: {Type: HttpApi, Properties: {Method: post, Path: /}}
  Other:
    Type: AWS::Serverless::Function
    Properties: {Handler: index.handler, Tracing: PassThrough}
"""
SECRETS = """
Parameters:
  Managed: {Type: String, Default: "true"}
Resources:
  Key: {Type: AWS::SecretsManager::Secret}
  Database:
    Type: AWS::RDS::DBInstance
    Properties: {ManageMasterUserPassword: !Ref Managed}
"""
ALARMS = """
Resources:
  One: {Type: AWS::CloudWatch::Alarm, Properties: {MetricName: a}}
  Share:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Metrics:
        - {Id: share, Expression: errors / calls}
        - {Id: errors, MetricStat: {Metric: {MetricName: a}}}
        - {Id: calls, MetricStat: {Metric: {MetricName: b}}}
  FirstFilter:
    Type: AWS::Logs::MetricFilter
    Properties: {MetricTransformations: [{MetricNamespace: n, MetricName: a}]}
  SecondFilter:
    Type: AWS::Logs::MetricFilter
    Properties:
      MetricTransformations:
        - {MetricNamespace: n, MetricName: a}
        - {MetricNamespace: n, MetricName: b}
  Endpoint:
    Type: AWS::EC2::VPCEndpoint
    Properties: {VpcEndpointType: Interface, SubnetIds: [a, b]}
  Gateway: {Type: AWS::EC2::VPCEndpoint, Properties: {VpcEndpointType: Gateway}}
  Table: {Type: AWS::DynamoDB::Table}
"""
MAPPINGS = """
Resources:
  SyncWorkerFunction:
    Type: AWS::Serverless::Function
    Properties:
      Handler: functions.sync_worker.handler.handler
      Events:
        Queue:
          Type: MQ
          Properties: {BatchSize: 1000, SourceAccessConfigurations: [{Type: BASIC_AUTH}]}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: !Ref SyncWorkerFunction
      BatchSize: 100
      MaximumBatchingWindowInSeconds: 2
      ScalingConfig: {MaximumConcurrency: 3}
  EventsFunction:
    Type: AWS::Serverless::Function
    Properties: {Handler: functions.s3_events.handler.handler}
  EventsMapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {FunctionName: !GetAtt EventsFunction.Arn, BatchSize: 7}
"""


def test_functions_have_their_memory_schedules_secrets_and_level(tmp_path: Path) -> None:
    requeue, other = inventory(tmp_path, FUNCTIONS).functions
    assert requeue == Function("requeue", 0.25, SECONDS / 60 + 31, 2, True, True)  # noqa: FBT003
    assert other == Function("Other", 0.125, 0, 0, False, False)  # noqa: FBT003


@pytest.mark.parametrize(("managed", "number"), [("true", 2), ("false", 1)])
def test_a_password_that_rds_manages_is_a_secret(managed: str, number: int, tmp_path: Path) -> None:
    assert inventory(tmp_path, SECRETS, {"Managed": managed}).secrets == number


def test_an_alarm_costs_each_metric_that_it_watches(tmp_path: Path) -> None:
    found = inventory(tmp_path, ALARMS)
    assert found.alarm_metrics == 3
    assert found.filtered_metrics == 2


def test_an_interface_endpoint_counts_in_each_zone(tmp_path: Path) -> None:
    assert inventory(tmp_path, ALARMS).endpoint_zones == 2


def test_a_type_whose_price_is_unknown_is_named(tmp_path: Path) -> None:
    assert inventory(tmp_path, ALARMS).unknown == ["AWS::DynamoDB::Table"]


def test_each_queue_has_its_batches(tmp_path: Path) -> None:
    found = inventory(tmp_path, MAPPINGS)
    assert found.batching("sync_worker", sqs=False) == Batching(1000, 0.0, 1)
    assert found.batching("sync_worker", sqs=True) == Batching(100, 2.0, 3)
    assert found.batching("s3_events", sqs=True) == Batching(7, 0.0, 5)
    assert found.batching("nothing", sqs=True) == Batching(10, 0.0, 5)


def test_nothing_of_the_template_is_left_uncounted() -> None:
    everything = {"CallbackUrl": "https://a.test/", "S3Events": "eventbridge", "AlarmEmail": "a@b"}
    for given in ({}, everything):
        stack = Stack(read(TEMPLATE), TEMPLATE.parent, given, "eu-west-1")
        assert not Inventory(stack).unknown
