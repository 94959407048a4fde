from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from local.schedule_expressions import EVERY_MINUTE, Rate, parse
from local.template import Route, Schedule, load
from shared.errors import SettingError

SMALL = """
Resources:
  Api:
    Type: AWS::Serverless::Function
    Properties:
      Handler: functions.ingest.handler.handler
      Timeout: 10
      Role: !GetAtt Role.Arn
      Environment: !If [Here, {A: !Ref B}, !Sub "${C}"]
      Events:
        Post: {Type: HttpApi, Properties: {Method: post, Path: /sync/}}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      Handler: functions.sync_worker.handler.handler
      Timeout: 840
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Condition: UseRabbitmq
    Properties: {FunctionName: !Ref Worker, EventSourceArn: !GetAtt Broker.Arn, Queues: [sync]}
  OtherMapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {FunctionName: !Ref Worker, EventSourceArn: !GetAtt Other.Arn, BatchSize: 7}
  Requeue:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: makefile, DeliversWithoutBroker: true}
    Properties:
      Handler: functions.requeue.handler.handler
      Events:
        Each: {Type: Schedule, Properties: {Schedule: rate(1 minute)}}
  Scrub:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: makefile, RunsLocallyEvery: 2, RunsLocallyWith: CALLBACK_URL}
    Properties:
      Handler: functions.scrub.handler.handler
      Timeout: 900
      Events:
        Nightly: {Type: Schedule, Properties: {Schedule: "cron(0 3 * * ? *)", Input: '{"all": 1}'}}
        Weekly:
          Type: ScheduleV2
          Properties: {ScheduleExpression: !Ref ScrubRate, State: ENABLED}
  Broker: {Type: AWS::AmazonMQ::Broker}
Parameters:
  ScrubRate: {Type: String, Default: rate(7 days)}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "template.yaml"
    file.write_text(SMALL)
    return file


def test_routes_and_limits_are_read(file: Path) -> None:
    template = load(file)

    assert template.routes == (Route("POST", "/sync/", "functions.ingest.handler.handler", 10.0),)
    assert template.worker == "functions.sync_worker.handler.handler"
    assert template.worker_seconds == 840


def test_what_is_left_out_is_as_on_aws(file: Path) -> None:
    template = load(file)

    assert template.batch_size == 100
    assert template.window_seconds == 0.5


def test_batch_size_and_window_are_read(file: Path) -> None:
    given = "Queues: [sync], BatchSize: 7, MaximumBatchingWindowInSeconds: 0"
    file.write_text(SMALL.replace("Queues: [sync]", given))

    assert (load(file).batch_size, load(file).window_seconds) == (7, 0.0)


def test_every_schedule_of_every_function_is_read(file: Path) -> None:
    assert load(file).schedules == (
        Schedule(
            name="Requeue.Each",
            handler="functions.requeue.handler.handler",
            seconds=3,
            expression=EVERY_MINUTE,
            delivers=True,
        ),
        Schedule(
            name="Scrub.Nightly",
            handler="functions.scrub.handler.handler",
            seconds=900,
            expression=parse("cron(0 3 * * ? *)"),
            text='{"all": 1}',
            local_seconds=2.0,
            setting="CALLBACK_URL",
        ),
        Schedule(
            name="Scrub.Weekly",
            handler="functions.scrub.handler.handler",
            seconds=900,
            expression=Rate(604_800),
            scheduler=True,
            local_seconds=2.0,
            setting="CALLBACK_URL",
        ),
    )


def test_a_time_zone_is_read(file: Path) -> None:
    given = '"cron(0 3 * * ? *)", ScheduleExpressionTimezone: Europe/Berlin'
    file.write_text(SMALL.replace("!Ref ScrubRate", given))

    assert load(file).schedules[2].expression == parse(
        "cron(0 3 * * ? *)", ZoneInfo("Europe/Berlin")
    )


@pytest.mark.parametrize("switch", ["Enabled: false", "Enabled: 'false'", "State: DISABLED"])
def test_a_schedule_that_is_disabled_does_not_run(file: Path, switch: str) -> None:
    file.write_text(
        SMALL.replace("Schedule: rate(1 minute)", f"Schedule: rate(1 minute), {switch}")
    )

    assert [s.name for s in load(file).schedules] == ["Scrub.Nightly", "Scrub.Weekly"]


def test_a_template_without_a_schedule_is_one_too(file: Path) -> None:
    file.write_text(SMALL[: SMALL.index("  Requeue:")])

    assert load(file).schedules == ()


@pytest.mark.parametrize(
    "given",
    [
        "Schedule: rate(1 week)",
        "Schedule: at(tomorrow)",
        "Schedule: !If [A, rate(1 minute), rate(1 hour)]",
        "Schedule: rate(1 minute), State: !If [A, ENABLED, DISABLED]",
        "Schedule: rate(1 minute), State: enabled",
        "Schedule: rate(1 minute), Enabled: maybe",
        "Schedule: rate(1 minute), Input: nothing",
        "Schedule: rate(1 minute), StartDate: 2030-01-01",
        "Schedule: rate(1 minute), ScheduleExpressionTimezone: Mars/Olympus",
    ],
)
def test_a_schedule_that_cannot_be_run_is_named(file: Path, given: str) -> None:
    file.write_text(SMALL.replace("Schedule: rate(1 minute)", given))

    with pytest.raises(SettingError, match=r"template\.yaml: ValueError Requeue\.Each: .*\w"):
        load(file)


@pytest.mark.parametrize("text", ["", "[", "Resources: {}", SMALL.replace("Queues:", "Topics:")])
def test_a_template_that_lacks_something_is_named(file: Path, text: str) -> None:
    file.write_text(text)

    with pytest.raises(SettingError, match=r"template\.yaml"):
        load(file)


def test_a_missing_template_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"template\.yaml"):
        load(tmp_path / "template.yaml")


def test_the_projects_own_template_routes_the_contract() -> None:
    routes = {(route.method, route.path) for route in load().routes}

    assert {
        ("POST", "/sync"),
        ("GET", "/sync"),
        ("GET", "/status.html"),
        ("ANY", "/admin/{proxy+}"),
    } <= routes
