"""The alarms: that nothing lacks one, what makes each fire, and that healthy figures do not.

Those that read what the functions write themselves are in `test_recorded_alarms`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from shared.metrics.catalog import ALL, STORAGE_FREE, STORAGE_FREE_INODES, STORAGE_INODES
from shared.metrics.catalog import STORAGE_SIZE as STORAGE_BYTES
from tests.aws.cloudwatch import ALARM, OK, UNKNOWN, MetricId, state, watched
from tests.aws.nested import EVERYTHING, OWN_SERVERS, alarm_stack, alarms, service
from tests.aws.recordings import SCENARIOS
from tests.helpers.paths import ROOT

KNOWN = {
    # Lambda developer guide, "Types of metrics for Lambda functions"
    "AWS/Lambda": {
        "names": {"Errors", "Throttles", "Duration", "Invocations", "ConcurrentExecutions"},
        "dimensions": {"FunctionName"},
    },
    # API Gateway developer guide, "Monitor CloudWatch metrics for HTTP APIs in API Gateway"
    "AWS/ApiGateway": {
        "names": {"4xx", "5xx", "Count", "Latency", "IntegrationLatency"},
        "dimensions": {"ApiId"},
    },
    # RDS user guide, "Amazon CloudWatch instance-level metrics for Amazon RDS"
    "AWS/RDS": {
        "names": {
            "FreeStorageSpace",
            "DatabaseConnections",
            "CPUUtilization",
            "CPUCreditBalance",
            "EBSIOBalance%",
            "EBSByteBalance%",
        },
        "dimensions": {"DBInstanceIdentifier"},
    },
    # Amazon MQ developer guide, "Available CloudWatch metrics for Amazon MQ for RabbitMQ brokers"
    "AWS/AmazonMQ": {
        "names": {
            "RabbitMQMemUsed",
            "RabbitMQMemLimit",
            "RabbitMQDiskFree",
            "RabbitMQDiskFreeLimit",
            "SystemCpuUtilization",
            "ConnectionCount",
        },
        "dimensions": {"Broker"},
    },
    # EFS user guide, "CloudWatch metrics for Amazon EFS"
    "AWS/EFS": {
        "names": {"PercentIOLimit", "MeteredIOBytes", "PermittedThroughput"},
        "dimensions": {"FileSystemId"},
    },
    # SQS developer guide, "Available CloudWatch metrics for Amazon SQS"
    "AWS/SQS": {
        "names": {"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"},
        "dimensions": {"QueueName"},
    },
}
"""What AWS's services report, by the page named above each."""

UNTHROTTLED = {"NotifyFunction": "it runs once at a time, and is started again meanwhile"}
NOT_ON_LAMBDA = {STORAGE_FREE, STORAGE_BYTES, STORAGE_FREE_INODES, STORAGE_INODES}
"""Gauges of a disk; EFS has no end."""

GIB = 1024**3
MANY, FEW = [1_000.0], [10.0]
NONE: list[float] = []
# By alarm: figures that make it fire, and healthy ones. A list has one period after another, the
# newest last, and in each what was observed; more than one metric come by their names.
Series = list[list[float]] | dict[str, list[list[float]]]
SERIES: dict[str, tuple[Series, Series]] = {
    **{f"{f}Errors": ([[0, 1, 0]], [[0, 0]]) for f in ("Ingest", "Stats", "Admin", "SyncWorker")},
    **{f"{f}Errors": ([[1]], [[0]]) for f in ("Requeue", "Scrub", "Reconcile", "S3Events")},
    **{f"{f}Errors": ([[1]], [[0]]) for f in ("Notify", "Migrate")},
    **{f"{f}Throttles": ([[0, 1]], [[0]]) for f in ("Ingest", "Stats", "Admin", "SyncWorker")},
    **{f"{f}Throttles": ([[1]], [[0]]) for f in ("Requeue", "Scrub", "Reconcile", "S3Events")},
    "MigrateThrottles": ([[1]], [[0]]),
    "IngestSlow": ([[60, 9_400]], [[60, 2_000]]),
    "StatsSlow": ([[60, 9_400]], [[60, 2_000]]),
    "AdminSlow": ([[28_000]], [[900]]),
    "S3EventsSlow": ([[28_000]], [[900]]),
    "SyncWorkerSlow": ([[839_000]], [[830_500]]),  # it stops 10 s before the timeout
    "RequeueSlow": ([[54_000]], [[45_500]]),  # 10 s
    "ScrubSlow": ([[899_000]], [[890_500]]),  # 10 s
    "ReconcileSlow": ([[880_000]], [[841_000]]),  # 60 s
    "NotifySlow": ([[59_000]], [[55_500]]),  # 15 s, and 10 s for an attempt
    "MigrateSlow": ([[850_000]], [[30_000]]),
    **{
        f"{f}Stopped": ([NONE, NONE], [[1] * 5, [1] * 5])
        for f in ("Requeue", "Scrub", "Reconcile", "Notify")
    },
    "ApiServerErrors": (
        {"5xx": [[60], [60]], "Count": [MANY, MANY]},
        {"5xx": [[40], [60]], "Count": [MANY, MANY]},
    ),
    "ApiClientErrors": (
        {"4xx": [[600]] * 3, "Count": [MANY] * 3},
        {"4xx": [[600], [400], [600]], "Count": [MANY] * 3},
    ),
    "DatabaseStorage": ([[1 * GIB]] * 3, [[3 * GIB]] * 3),
    "DatabaseConnections": ([[160]] * 2, [[160], [90]]),
    "DatabaseCpu": ([[99]] * 3, [[99], [99], [60]]),
    "DatabaseCpuCredits": ([[5]] * 3, [[288]] * 3),
    "DatabaseDiskCredits": (
        {"EBSIOBalance%": [[90]] * 3, "EBSByteBalance%": [[4]] * 3},
        {"EBSIOBalance%": [[90]] * 3, "EBSByteBalance%": [[80]] * 3},
    ),
    "BrokerMemory": (
        {"RabbitMQMemUsed": [[0.95 * GIB]] * 5, "RabbitMQMemLimit": [[GIB]] * 5},
        {"RabbitMQMemUsed": [[0.4 * GIB]] * 5, "RabbitMQMemLimit": [[GIB]] * 5},
    ),
    "BrokerDisk": (
        {"RabbitMQDiskFree": [[1.5 * GIB]] * 5, "RabbitMQDiskFreeLimit": [[GIB]] * 5},
        {"RabbitMQDiskFree": [[4 * GIB]] * 5, "RabbitMQDiskFreeLimit": [[GIB]] * 5},
    ),
    "FileSystemIoLimit": ([[99]] * 3, [[99], [40], [99]]),
    "FileSystemThroughput": (
        {"MeteredIOBytes": [[285 * GIB]] * 3, "PermittedThroughput": [[GIB]] * 3},
        {"MeteredIOBytes": [[30 * GIB]] * 3, "PermittedThroughput": [[GIB]] * 3},
    ),
    "S3EventsWaiting": ([[1_200]], [[4]]),
    "S3EventsDeadLetters": ([[1]], [[0]]),
}


def data(alarm: Mapping[str, Any], series: Series) -> dict[MetricId, list[list[float]]]:
    metrics = watched(alarm)
    if isinstance(series, list):
        [metric] = metrics
        return {metric: series}
    assert {metric.name for metric in metrics} == set(series)
    return {metric: series[metric.name] for metric in metrics}


def functions() -> dict[str, dict[str, Any]]:
    return service().resources("AWS::Serverless::Function")


def test_every_alarm_is_shown_to_fire() -> None:
    assert set(alarms()) == set(SERIES) | set(SCENARIOS)
    assert not set(SERIES) & set(SCENARIOS)


@pytest.mark.parametrize("name", SERIES)
def test_an_alarm_fires_on_bad_figures_and_not_on_healthy_ones(name: str) -> None:
    alarm = alarms()[name]
    bad, healthy = SERIES[name]
    assert state(alarm, data(alarm, bad)) == ALARM
    assert state(alarm, data(alarm, healthy)) == OK


@pytest.mark.parametrize("name", ["ApiServerErrors", "ApiClientErrors"])
def test_a_share_of_few_requests_raises_no_alarm(name: str) -> None:
    alarm = alarms()[name]
    kind = "5xx" if name == "ApiServerErrors" else "4xx"
    assert state(alarm, data(alarm, {kind: [FEW] * 3, "Count": [FEW] * 3})) == OK
    assert state(alarm, data(alarm, {kind: [NONE] * 3, "Count": [MANY] * 3})) == OK
    assert state(alarm, data(alarm, {kind: [NONE] * 3, "Count": [NONE] * 3})) == OK


MAY_BE_SILENT = {
    "DatabaseCpuCredits": "absent where the processor is not burstable",
    "DatabaseDiskCredits": "absent where the instance has no burst",
    "FileSystemIoLimit": "absent while nothing uses the file system",
    "FileSystemThroughput": "the same",
    "S3EventsWaiting": "absent of a queue that nothing uses",
    "S3EventsDeadLetters": "the same",
    **{f"{f.removesuffix('Function')}Slow": "absent while it is not invoked" for f in functions()},
}


def test_an_alarm_whose_data_stop_does_not_stay_ok() -> None:
    for name, alarm in alarms().items():
        after = state(alarm, {metric: [[]] * 20 for metric in watched(alarm)})
        if alarm.get("Statistic") == "Sum" and alarm["MetricName"] != "Invocations":
            assert after == OK, f"{name} counts what happens, and nothing has"
        elif name in MAY_BE_SILENT or name.startswith("Api"):
            assert after == OK
        else:
            assert after in (ALARM, UNKNOWN), name
            if after == UNKNOWN:
                assert {m.namespace for m in watched(alarm)} == {"ExternalStorageSync/under-test"}
    unmeasured = alarms()["LedgerUnreachable"]
    assert state(unmeasured, {watched(unmeasured)[0]: [[]] * 5}) == ALARM


@pytest.mark.parametrize("kind", ["Errors", "Slow", "Throttles"])
def test_every_function_has_its_alarms(kind: str) -> None:
    found = alarms()
    metric = {"Errors": "Errors", "Slow": "Duration", "Throttles": "Throttles"}[kind]
    for name, function in functions().items():
        if kind == "Throttles" and name in UNTHROTTLED:
            continue
        alarm = found[f"{name.removesuffix('Function')}{kind}"]
        assert watched(alarm) == [
            MetricId("AWS/Lambda", metric, (("FunctionName", function["FunctionName"]),))
        ]


def test_near_the_timeout_is_before_it() -> None:
    for name, function in functions().items():
        alarm = alarms()[f"{name.removesuffix('Function')}Slow"]
        assert 0.85 * function["Timeout"] <= alarm["Threshold"] / 1000 < function["Timeout"], name


def test_every_schedule_has_an_alarm_for_when_it_stops() -> None:
    found = alarms()
    scheduled = [
        (name, function)
        for name, function in functions().items()
        if any(e["Type"].startswith("Schedule") for e in function.get("Events", {}).values())
    ]
    assert len(scheduled) >= 4
    for name, function in scheduled:
        alarm = found[f"{name.removesuffix('Function')}Stopped"]
        assert watched(alarm)[0].dimensions == (("FunctionName", function["FunctionName"]),)


def test_every_function_that_answers_requests_has_an_alarm_for_its_503s() -> None:
    # What tells s3_events by HTTP needs a secret, which the template does not set.
    answering = {
        function["Handler"].split(".")[1]
        for function in functions().values()
        if any(e["Type"] == "HttpApi" for e in function.get("Events", {}).values())
    }
    watching = {
        dict(metric.dimensions)["function"]
        for alarm in alarms().values()
        for metric in watched(alarm)
        if metric.name == "sync_requests_total"
    }
    assert watching == answering - {"s3_events"}


def test_alarms_and_dashboard_read_metrics_that_there_are() -> None:
    ours = {metric.name: metric for metric in ALL}
    read = [metric for alarm in alarms().values() for metric in watched(alarm)] + graphed()
    for metric in read:
        names = {name for name, _ in metric.dimensions}
        if metric.namespace == "ExternalStorageSync/under-test":
            assert names == set(ours[metric.name].labels), metric
        else:
            known = KNOWN[metric.namespace]
            assert metric.name in known["names"], metric
            assert names == known["dimensions"], metric


def test_alarms_are_as_cloudwatch_takes_them() -> None:
    model = botocore.session.get_session().get_service_model("cloudwatch")
    shape = model.operation_model("PutMetricAlarm").input_shape
    for name, alarm in alarms().items():
        wrong = ParamValidator().validate({"AlarmName": name, **alarm}, shape)
        assert not wrong.has_errors(), f"{name}: {wrong.generate_report()}"
        queries = alarm.get("Metrics", ())
        assert all(re.fullmatch(r"[a-z][A-Za-z0-9_]*", query["Id"]) for query in queries)
        assert len([q for q in queries if q.get("ReturnData", True)]) == bool(queries)
        periods = {q["MetricStat"]["Period"] for q in queries if "MetricStat" in q}
        [period] = periods or {alarm["Period"]}
        # CloudWatch API reference, PutMetricAlarm: at most a day, and whole minutes.
        assert period % 60 == 0
        assert period * alarm["EvaluationPeriods"] <= 86_400
        assert alarm.get("DatapointsToAlarm", 1) <= alarm["EvaluationPeriods"]


@pytest.mark.parametrize(
    ("given", "absent"),
    [
        ({}, "Database|^Broker(Memory|Disk)|FileSystem|S3Events(Waiting|Dead)|Callback|Notify"),
        ({"S3Events": "eventbridge"}, "Database|^Broker(Memory|Disk)|FileSystem|Callback|Notify"),
    ],
)
def test_only_what_the_stack_makes_is_watched(given: dict[str, str], absent: str) -> None:
    everything = set(alarms())
    without = alarms({"SourceBucketName": "client-bucket"} | OWN_SERVERS | given)
    assert everything - set(without) == {name for name in everything if re.search(absent, name)}
    rule = composite({"SourceBucketName": "client-bucket"} | OWN_SERVERS | given)
    assert needed(rule) <= set(without)
    body = dashboard({"SourceBucketName": "client-bucket"} | OWN_SERVERS | given)
    assert not re.search("AWS/(RDS|AmazonMQ|EFS)", json.dumps(body))


def test_with_sqs_no_broker_is_watched() -> None:
    parameters = EVERYTHING | {"Queue": "sqs"}
    assert set(alarms()) - set(alarms(parameters)) == {"BrokerMemory", "BrokerDisk"}
    assert needed(composite(parameters)) <= set(alarms(parameters))


def composite(parameters: Mapping[str, str] = EVERYTHING) -> dict[str, Any]:
    [found] = alarm_stack(parameters).resources("AWS::CloudWatch::CompositeAlarm").values()
    return found


def needed(alarm: Mapping[str, Any]) -> set[str]:
    rule = alarm["AlarmRule"]
    assert re.fullmatch(r'ALARM\("<\w+>"\)( OR ALARM\("<\w+>"\))*', rule)
    assert len(rule) <= 10_240 - 100 * 60, "names of alarms are up to 100 characters longer"
    return set(re.findall(r"<(\w+)>", rule))


def test_alarms_send_mail_where_an_address_is_given() -> None:
    assert all(alarm["AlarmActions"] == ["<AlarmTopic>"] for alarm in alarms().values())
    silent = EVERYTHING | {"AlarmEmail": ""}
    assert not any({"AlarmActions", "OKActions"} & set(a) for a in alarms(silent).values())
    assert "AWS::SNS::Topic" not in alarm_stack(silent).kinds()


def test_the_parent_passes_every_parameter() -> None:
    nested = service().resources("AWS::CloudFormation::Stack")["Alarms"]
    assert set(nested["Parameters"]) == set(alarm_stack()._document["Parameters"])  # noqa: SLF001
    assert (ROOT / nested["TemplateURL"]).is_file()
    # CloudFormation guide, "Acknowledging CloudFormation resources": macros and nested stacks.
    assert "CAPABILITY_AUTO_EXPAND" in (ROOT / "samconfig.toml").read_text()


# --- docs/deploy.md


def documented() -> dict[str, set[str]]:
    """Return the alarms that the page explains, by the heading above them."""
    page = (ROOT / "docs" / "deploy.md").read_text()
    text = page.partition("\n## Alarms\n")[2].partition("\n## ")[0]
    tables = re.split(r"^### ", text, flags=re.MULTILINE)[1:]
    found = {}
    for table in tables:
        rows = re.findall(r"^\| (`.+?) \| (.+) \| (.+) \|$", table, re.MULTILINE)
        assert all(len(meaning) > 10 and len(first) > 10 for _, meaning, first in rows)
        found[table.partition("\n")[0]] = {
            n for row, _, _ in rows for n in re.findall(r"`(\w+)`", row)
        }
    return found


def test_each_alarm_has_a_line_in_the_docs() -> None:
    tables = documented()
    assert set().union(*tables.values()) == set(alarms())
    assert sum(map(len, tables.values())) == len(alarms())
    assert tables["The service needs attention"] == needed(composite())


# --- the dashboard: CloudWatch API reference, "Dashboard Body Structure and Syntax"


def dashboard(parameters: Mapping[str, str] = EVERYTHING) -> dict[str, Any]:
    [found] = alarm_stack(parameters).resources("AWS::CloudWatch::Dashboard").values()
    body: dict[str, Any] = json.loads(found["DashboardBody"])
    return body


def widgets() -> list[dict[str, Any]]:
    return [w for w in dashboard()["widgets"] if w["type"] == "metric"]


def graphed() -> list[MetricId]:
    """Return the metrics of the dashboard's graphs, with their abbreviations written out."""
    found = []
    for widget in widgets():
        before: list[str] = []
        for row in widget["properties"]["metrics"]:
            if isinstance(row[0], dict):
                found.append(searched(row[0]["expression"]))
                continue
            texts = [x for x in row if isinstance(x, str)]
            if texts[0] == "...":
                texts = before[: 1 - len(texts)] + texts[1:]
            texts = [before[at] if text == "." else text for at, text in enumerate(texts)]
            pairs = tuple(sorted(zip(texts[2::2], texts[3::2], strict=True)))
            found.append(MetricId(texts[0], texts[1], pairs))
            before = texts
    return found


def searched(expression: str) -> MetricId:
    found = re.fullmatch(
        r"SEARCH\('\{\"([^\"]+)\"((?:,\w+)*)\} MetricName=\"(\w+)\"', '\w+', \d+\)", expression
    )
    assert found, expression
    labels = found[2].strip(",").split(",")
    return MetricId(found[1], found[3], tuple((label, "*") for label in sorted(labels)))


def test_the_dashboard_is_as_cloudwatch_wants_it() -> None:
    body = dashboard()
    assert set(body) == {"widgets"}
    assert 1 <= len(body["widgets"]) <= 500
    taken: set[tuple[int, int]] = set()
    for widget in body["widgets"]:
        assert set(widget) == {"type", "x", "y", "width", "height", "properties"}
        assert (widget["x"] >= 0, widget["x"] + widget["width"] <= 24) == (True, True)
        place = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not place & taken, f"{widget['properties']['title']} covers another"
        taken |= place
        if widget["type"] == "alarm":
            assert set(widget["properties"]) == {"title", "alarms"}
            assert 1 <= len(widget["properties"]["alarms"]) <= 100
            continue
        assert widget["type"] == "metric"
        assert set(widget["properties"]) == {"title", "region", "stat", "period", "metrics"}
        assert widget["properties"]["region"] == "eu-west-1"
        for row in widget["properties"]["metrics"]:
            options = row[-1] if isinstance(row[-1], dict) else {}
            assert set(options) <= {"stat", "yAxis", "expression", "id"}
        ids = [r[0]["id"] for r in widget["properties"]["metrics"] if isinstance(r[0], dict)]
        assert len(set(ids)) == len(ids)
        assert all(re.fullmatch(r"[a-z]\w*", one) for one in ids)


def test_the_dashboard_shows_every_metric_that_functions_write() -> None:
    assert {m.name for m in graphed()} >= {m.name for m in ALL if m not in NOT_ON_LAMBDA}


def test_the_dashboard_shows_every_function() -> None:
    shown = {dict(m.dimensions).get("FunctionName") for m in graphed()}
    assert shown >= {function["FunctionName"] for function in functions().values()}


def test_a_stack_without_options_has_all_of_its_servers_watched() -> None:
    plain = alarms({"SourceBucketName": "client-bucket"})
    assert {n for n in plain if re.match("Database|Broker|FileSystem", n)} == {
        n for n in alarms() if re.match("Database|Broker|FileSystem", n)
    }
