from __future__ import annotations

from pathlib import Path

import pytest

from local.template import Route, load
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
      Events:
        Queue:
          Type: MQ
          Properties: {Broker: !Ref Broker, Queues: [sync]}
  Requeue:
    Type: AWS::Serverless::Function
    Properties:
      Handler: functions.requeue.handler.handler
      Events:
        Each: {Type: Schedule, Properties: {Schedule: rate(1 minute)}}
  Broker: {Type: AWS::AmazonMQ::Broker}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "template.yaml"
    file.write_text(SMALL)
    return file


def test_routes_and_limits_are_read(file: Path) -> None:
    template = load(file)

    assert template.routes == (Route("POST", "/sync/", "functions.ingest.handler.handler", 10.0),)
    assert template.queue == "sync"
    assert template.worker == "functions.sync_worker.handler.handler"
    assert template.worker_seconds == 840
    assert template.schedule_seconds == 60


def test_what_is_left_out_is_as_on_aws(file: Path) -> None:
    template = load(file)

    assert template.batch_size == 100
    assert template.window_seconds == 0.5


def test_batch_size_and_window_are_read(file: Path) -> None:
    given = "Queues: [sync], BatchSize: 7, MaximumBatchingWindowInSeconds: 0"
    file.write_text(SMALL.replace("Queues: [sync]", given))

    assert (load(file).batch_size, load(file).window_seconds) == (7, 0.0)


@pytest.mark.parametrize(
    ("expression", "seconds"), [("rate(5 minutes)", 300), ("rate(1 hour)", 3600)]
)
def test_a_schedule_is_read(file: Path, expression: str, seconds: float) -> None:
    file.write_text(SMALL.replace("rate(1 minute)", expression))

    assert load(file).schedule_seconds == seconds


@pytest.mark.parametrize(
    "text",
    ["", "[", "Resources: {}", SMALL.replace("rate(1 minute)", "cron(0 * * * ? *)")],
)
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
