"""The template after the SAM transform: routes, permissions, policies, secrets."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.config.settings import Settings
from shared.ledger.roles import role_of
from shared.queue.sqs.queues import DEAD_SUFFIX
from tests.aws.conftest import REGION, tool
from tests.aws.nested import OWN_SERVERS
from tests.aws.stack import Stack, statements
from tests.helpers.paths import ROOT

KEY = "arn:aws:kms:eu-west-1:123456789012:key/k"
FUNCTIONS = tuple(sorted(file.parent.name for file in ROOT.glob("functions/*/handler.py")))
SERVERS = {
    "AWS::EC2::VPC",
    "AWS::RDS::DBInstance",
    "AWS::AmazonMQ::Broker",
    "AWS::EFS::FileSystem",
}


@pytest.fixture(params=["made", "existing", "events", "sqs", "own key"])
def stack(request: pytest.FixtureRequest, transformed: dict[str, Any]) -> Stack:
    parameters = {"SourceBucketName": "client-bucket", "CallbackUrl": "https://client.test/hook"}
    if request.param == "existing":
        parameters |= OWN_SERVERS
    if request.param == "events":
        parameters |= {"S3Events": "eventbridge"}
    if request.param == "sqs":
        parameters |= {"Queue": "sqs", "S3Events": "eventbridge"}
    if request.param == "own key":
        parameters |= {"KmsKeyArn": KEY, "IngestConcurrency": "80", "FunctionUrl": "true"}
    return Stack(transformed, parameters)


def variables(function: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = function["Environment"]["Variables"]
    return found


def test_every_server_is_made_unless_it_is_given(transformed: dict[str, Any]) -> None:
    made = Stack(transformed, {"SourceBucketName": "client-bucket"})
    given = Stack(transformed, {"SourceBucketName": "client-bucket", **OWN_SERVERS})
    assert made.kinds() >= SERVERS
    assert given.kinds() & SERVERS == set()
    ingest = given.resources("AWS::Lambda::Function")["IngestFunction"]
    assert variables(ingest)["DATABASE_URL_ARN"] == OWN_SERVERS["DatabaseUrlSecretArn"]
    assert ingest["VpcConfig"]["SubnetIds"] == OWN_SERVERS["SubnetIds"].split(",")


def test_what_a_stack_refers_to_is_in_it(stack: Stack) -> None:
    made = {name for kind in stack.kinds() for name in stack.resources(kind)}
    asked = {
        name
        for kind in stack.kinds()
        for name in re.findall(r"<([A-Za-z0-9]+)[.>]", json.dumps(stack.resources(kind)))
    }
    assert asked <= made
    outputs = json.dumps(list(stack.outputs().values()))
    assert set(re.findall(r"<([A-Za-z0-9]+)[.>]", outputs)) <= made


def test_without_a_callback_url_nothing_of_callbacks_is_made(transformed: dict[str, Any]) -> None:
    stack = Stack(transformed, {"SourceBucketName": "client-bucket"})
    made = {name for kind in stack.kinds() for name in stack.resources(kind)}
    assert not [name for name in made if re.search("Notify|Callback", name)]
    for function in stack.resources("AWS::Lambda::Function").values():
        assert not {"CALLBACK_URL_ARN", "NOTIFY_FUNCTION"} & set(variables(function))


def test_the_worker_starts_the_function_of_callbacks_and_no_other(stack: Stack) -> None:
    invoking = [(role, s) for role, s in statements(stack) if "lambda:" in str(s["Action"])]
    assert [(role, s["Action"]) for role, s in invoking] == [
        ("SyncWorkerFunctionRole", "lambda:InvokeFunction")
    ]
    assert "NotifyFunction" in str(invoking[0][1]["Resource"])


def test_each_function_runs_its_own_handler(stack: Stack) -> None:
    handlers = {f["Handler"] for f in stack.resources("AWS::Lambda::Function").values()}
    assert handlers == {f"functions.{name}.handler.handler" for name in FUNCTIONS}


def test_the_environment_holds_settings_only_and_no_secret(stack: Stack) -> None:
    settings = {f.metadata["name"]: f.metadata for f in Settings.__dataclass_fields__.values()}
    for name, function in stack.resources("AWS::Lambda::Function").items():
        for variable, value in variables(function).items():
            setting = settings.get(variable.removesuffix("_ARN"))
            if variable == "RES_OPTIONS":  # the C library's
                continue
            assert setting, f"{name} sets {variable}, which is no setting"
            if setting["secret"] and not variable.endswith("_ARN"):
                assert variable in {"DATABASE_URL", "RABBITMQ_URL"}, f"{name} holds {variable}"
                assert urlsplit(value).password is None
            assert "{{resolve" not in str(value)


def test_a_function_may_read_the_secrets_that_it_is_told_of_and_no_others(stack: Stack) -> None:
    allowed: dict[str, set[str]] = {}
    for role, statement in statements(stack):
        if "secretsmanager:GetSecretValue" in str(statement["Action"]):
            resources = statement["Resource"]
            listed = resources if isinstance(resources, list) else [resources]
            allowed.setdefault(role.removesuffix("Role"), set()).update(listed)
    for name, function in stack.resources("AWS::Lambda::Function").items():
        told = {
            str(value).partition("#")[0]
            for variable, value in variables(function).items()
            if variable.endswith("_ARN")
        }
        mapping = {
            source["URI"]
            for event in stack.resources("AWS::Lambda::EventSourceMapping").values()
            if event["FunctionName"] == f"<{name}>"
            for source in event.get("SourceAccessConfigurations", ())
            if source["Type"] == "BASIC_AUTH"
        }
        assert allowed.get(name, set()) == told | mapping


def test_a_function_logs_in_to_the_database_as_itself_and_without_a_password(stack: Stack) -> None:
    connecting = {
        role.removesuffix("Role"): statement["Resource"]
        for role, statement in statements(stack)
        if statement["Action"] == "rds-db:connect"
    }
    databases = stack.resources("AWS::RDS::DBInstance")
    if not databases:
        assert not connecting
        return
    [database] = databases.values()
    assert database["MasterUserAuthenticationType"] == "iam-db-auth"
    assert not {"MasterUserPassword", "ManageMasterUserPassword"} & set(database)
    users = {name: "sync" if name == "migrate" else role_of(name) for name in FUNCTIONS}
    users["sync_worker"] = role_of("worker")
    for logical_id, function in stack.resources("AWS::Lambda::Function").items():
        given = variables(function)
        url = urlsplit(given["DATABASE_URL"])
        user = users[function["Handler"].split(".")[1]]
        assert url.username == user
        assert parse_qs(url.query) == {
            "sslmode": ["verify-full"],
            "sslrootcert": ["/var/task/rds-ca.pem"],
        }
        assert given["DATABASE_AUTH"] == "iam"
        assert given.get("DATABASE_ROLES") == ("1" if user == "sync" else None)
        assert connecting.pop(logical_id).endswith(f":dbuser:<Database.DbiResourceId>/{user}")
    assert not connecting


def test_every_package_has_the_ca_certificates_of_amazon_rds() -> None:
    for package in (ROOT / os.environ["AWS_PACKAGES"]).glob("*Function"):
        assert "BEGIN CERTIFICATE" in (package / "rds-ca.pem").read_text()


def test_no_policy_allows_everything_and_every_wide_one_says_why(
    stack: Stack, transformed: dict[str, Any]
) -> None:
    for role, statement in statements(stack):
        actions = statement["Action"]
        actions = [actions] if isinstance(actions, str) else actions
        if statement["Effect"] == "Deny":
            continue
        assert not [a for a in actions if a.endswith("*")], f"{role}: {actions}"
        if statement["Resource"] == "*":
            function = role.removesuffix("Role")
            reason = transformed["Resources"][function].get("Metadata", {}).get("Reason", "")
            assert len(reason) > 40, f"{role} gives no reason for {actions} on everything"


def test_the_own_managed_policy_asks_for_secrets_together_and_says_why(stack: Stack) -> None:
    [(name, policy)] = stack.resources("AWS::IAM::ManagedPolicy").items()
    [statement] = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == "secretsmanager:BatchGetSecretValue"
    assert len(stack.metadata(name)["Reason"]) > 40


def test_who_has_several_secrets_may_ask_for_them_together(stack: Stack) -> None:
    for name, function in stack.resources("AWS::Lambda::Function").items():
        arns = {str(v).partition("#")[0] for k, v in variables(function).items() if "_ARN" in k}
        attached = stack.resources("AWS::IAM::Role")[f"{name}Role"]["ManagedPolicyArns"]
        assert "<ReadSecretsTogether>" in attached or len(arns) <= 1, name


def test_managed_policies_are_those_of_logs_traces_and_the_network(stack: Stack) -> None:
    attached = {
        arn.rpartition("/")[2]
        for role in stack.resources("AWS::IAM::Role").values()
        for arn in role["ManagedPolicyArns"]
    }
    assert attached == {
        "<ReadSecretsTogether>",
        "AWSLambdaBasicExecutionRole",
        "AWSXrayWriteOnlyAccess",
        "AWSLambdaVPCAccessExecutionRole",
    }


def test_the_worker_may_make_the_mappings_network_interfaces(stack: Stack) -> None:
    actions = [
        s["Action"]
        for role, s in statements(stack)
        if role == "SyncWorkerFunctionRole" and "ec2" in str(s["Action"]) and s["Effect"] == "Allow"
    ]
    if stack.condition("UseSqs"):
        assert actions == []
        return
    assert sorted(actions[0]) == [
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
    ]


def test_only_the_worker_writes_the_storage(stack: Stack) -> None:
    granted = {role: s["Action"] for role, s in statements(stack) if "elasticfilesystem" in str(s)}
    assert granted == {
        "AdminFunctionRole": "elasticfilesystem:ClientMount",
        "ReconcileFunctionRole": "elasticfilesystem:ClientMount",
        "ScrubFunctionRole": "elasticfilesystem:ClientMount",
        "SyncWorkerFunctionRole": [
            "elasticfilesystem:ClientMount",
            "elasticfilesystem:ClientWrite",
        ],
    }


def test_the_api_is_the_one_public_door(stack: Stack) -> None:
    asked = stack.resources("AWS::Lambda::Permission").values()
    public = {p["FunctionName"] for p in asked if p["Principal"] == "*"}
    urls = {u["TargetFunctionArn"] for u in stack.resources("AWS::Lambda::Url").values()}
    assert public == urls
    assert urls == ({"<IngestFunction>"} if stack.condition("MakeFunctionUrl") else set())


def test_a_public_function_url_has_both_permissions(transformed: dict[str, Any]) -> None:
    stack = Stack(transformed, {"SourceBucketName": "client-bucket", "FunctionUrl": "true"})
    public = [
        p for p in stack.resources("AWS::Lambda::Permission").values() if p["Principal"] == "*"
    ]
    assert {(p["FunctionName"], p["Action"]) for p in public} == {
        ("<IngestFunction>", "lambda:InvokeFunctionUrl"),
        ("<IngestFunction>", "lambda:InvokeFunction"),
    }
    [direct] = [p for p in public if p["Action"] == "lambda:InvokeFunction"]
    assert direct["InvokedViaFunctionUrl"] is True


def test_every_route_is_one_that_api_gateway_takes(stack: Stack) -> None:
    [api] = stack.resources("AWS::ApiGatewayV2::Api").values()
    paths = api["Body"]["paths"]
    assert not [p for p in paths if p.endswith("/") and p != "/"]
    methods = {(m, p) for p, of in paths.items() for m in of}
    assert methods == {
        ("post", "/sync"),
        ("post", "/sync/{proxy+}"),
        ("post", "/events/s3"),
        ("post", "/events/s3/{proxy+}"),
        ("get", "/sync"),
        ("get", "/sync/{proxy+}"),
        ("get", "/"),
        ("get", "/status.html"),
        ("get", "/openapi.json"),
        ("x-amazon-apigateway-any-method", "/admin"),
        ("x-amazon-apigateway-any-method", "/admin/{proxy+}"),
        ("x-amazon-apigateway-any-method", "/media/{proxy+}"),
        ("x-amazon-apigateway-any-method", "$default"),
    }


def test_the_mapping_hands_over_batches_within_lambdas_limits(transformed: dict[str, Any]) -> None:
    stack = Stack(transformed, {"SourceBucketName": "client-bucket"})
    [mapping] = stack.resources("AWS::Lambda::EventSourceMapping").values()
    worker = stack.resources("AWS::Lambda::Function")["SyncWorkerFunction"]
    assert mapping["Queues"] == ["sync"]
    assert 1 <= mapping["BatchSize"] <= 10_000
    assert 0 <= mapping["MaximumBatchingWindowInSeconds"] <= 300
    assert worker["Timeout"] <= 840
    assert {s["Type"] for s in mapping["SourceAccessConfigurations"]} == {
        "BASIC_AUTH",
        "VIRTUAL_HOST",
    }


def test_sqs_hands_over_batches_within_its_limits(transformed: dict[str, Any]) -> None:
    stack = Stack(transformed, {"SourceBucketName": "client-bucket", "Queue": "sqs"})
    [mapping] = stack.resources("AWS::Lambda::EventSourceMapping").values()
    queues = stack.resources("AWS::SQS::Queue")
    worker = stack.resources("AWS::Lambda::Function")["SyncWorkerFunction"]
    # AWS Lambda developer guide, "Creating and configuring an Amazon SQS event source mapping".
    assert mapping["BatchSize"] <= 10_000
    assert mapping["MaximumBatchingWindowInSeconds"] >= 1
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert queues["SyncQueue"]["VisibilityTimeout"] >= 6 * worker["Timeout"]
    assert queues["SyncQueue"]["RedrivePolicy"] == {
        "deadLetterTargetArn": "<SyncDeadLetters.Arn>",
        "maxReceiveCount": 1000,
    }
    in_flight = mapping["BatchSize"] * int(mapping["ScalingConfig"]["MaximumConcurrency"])
    assert in_flight <= 120_000
    assert all(queue["SqsManagedSseEnabled"] for queue in queues.values())
    # How `shared.queue.sqs` finds the dead letters.
    names = [queues[name]["QueueName"] for name in ("SyncQueue", "SyncDeadLetters")]
    assert names[1] == names[0] + DEAD_SUFFIX
    [policy] = stack.resources("AWS::SQS::QueuePolicy").values()
    [denied] = policy["PolicyDocument"]["Statement"]
    assert (denied["Effect"], denied["Condition"]) == (
        "Deny",
        {"Bool": {"aws:SecureTransport": "false"}},
    )


def test_with_sqs_nothing_of_rabbitmq_is_made_or_allowed(transformed: dict[str, Any]) -> None:
    stack = Stack(transformed, {"SourceBucketName": "client-bucket", "Queue": "sqs"})
    made = {name for kind in stack.kinds() for name in stack.resources(kind)}
    assert not [name for name in made if re.search("Broker|Rabbit", name)]
    for function in stack.resources("AWS::Lambda::Function").values():
        assert "RABBITMQ_URL_ARN" not in variables(function)
    granted: dict[str, set[str]] = {}
    for role, statement in statements(stack):
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            assert not action.startswith("mq:")
            if action.startswith("sqs:"):
                on = statement["Resource"]
                granted.setdefault(role, set()).update(
                    f"{action} {arn}" for arn in ([on] if isinstance(on, str) else on)
                )
    send, count = "sqs:SendMessage", "sqs:GetQueueAttributes"
    queue, dead = "<SyncQueue.Arn>", "<SyncDeadLetters.Arn>"
    assert granted == {
        "IngestFunctionRole": {f"{send} {queue}"},
        "S3EventsFunctionRole": {f"{send} {queue}"},
        "RequeueFunctionRole": {f"{send} {queue}", f"{count} {queue}", f"{count} {dead}"},
        "SyncWorkerFunctionRole": {
            f"sqs:ReceiveMessage {queue}",
            f"sqs:DeleteMessage {queue}",
            f"{count} {queue}",
            f"{send} {dead}",
        },
    }


def test_the_ledger_is_up_to_date_before_anything_needs_it(
    stack: Stack, transformed: dict[str, Any]
) -> None:
    [ledger] = stack.resources("Custom::Ledger").values()
    assert ledger["ServiceToken"] == "<MigrateFunction.Arn>"
    migrate = stack.resources("AWS::Lambda::Function")["MigrateFunction"]
    assert int(ledger["ServiceTimeout"]) <= migrate["Timeout"]
    after = {
        name
        for name, resource in transformed["Resources"].items()
        if resource["Type"] == "AWS::Lambda::Function" and resource.get("DependsOn") == "Ledger"
    }
    functions = set(stack.resources("AWS::Lambda::Function"))
    assert functions - after == {"MigrateFunction"}
    # The way out of the network, and the servers.
    needed = set(re.findall(r"<(\w+)[.>]", json.dumps(ledger)))
    if stack.condition("MakeVpc"):
        assert needed >= {"PrivateRoute", "PrivateSubnetARoutes", "PrivateSubnetBRoutes"}
        assert "Database" in needed
        assert ("SyncQueue" if stack.condition("UseSqs") else "Broker") in needed


def test_a_release_is_a_version_of_the_package_that_migrates(transformed: dict[str, Any]) -> None:
    release = transformed["Resources"]["Ledger"]["Properties"]["Release"]["Ref"]
    assert transformed["Resources"][release]["Type"] == "AWS::Lambda::Version"
    # Its name has a hash of where the package is, which `sam package` names by its content.
    assert re.fullmatch("MigrateFunctionVersion[0-9a-f]{10}", release)


def test_every_function_logs_to_a_group_that_forgets(stack: Stack) -> None:
    groups = stack.resources("AWS::Logs::LogGroup")
    for function in stack.resources("AWS::Lambda::Function").values():
        group = groups[function["LoggingConfig"]["LogGroup"].strip("<>")]
        assert group["RetentionInDays"] == 30
        assert group["LogGroupName"] == f"/aws/lambda/{function['FunctionName']}"
        assert function["TracingConfig"] == {"Mode": "Active"}


def test_events_come_through_a_queue_where_they_are_wanted(transformed: dict[str, Any]) -> None:
    parameters = {"SourceBucketName": "client-bucket"}
    off, on = (
        Stack(transformed, parameters),
        Stack(transformed, parameters | {"S3Events": "eventbridge"}),
    )
    assert "AWS::SQS::Queue" not in off.kinds()
    assert not [r for r in off.resources("AWS::Events::Rule").values() if "EventPattern" in r]
    [rule] = [r for r in on.resources("AWS::Events::Rule").values() if "EventPattern" in r]
    assert rule["EventPattern"] == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": ["client-bucket"]}},
    }
    [target] = rule["Targets"]
    assert target["Arn"] == "<S3EventsQueue.Arn>"
    assert target["DeadLetterConfig"] == {"Arn": "<S3EventsDeadLetters.Arn>"}
    mapping = on.resources("AWS::Lambda::EventSourceMapping")["S3EventsMapping"]
    assert mapping["FunctionName"] == "<S3EventsFunction>"
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    function = on.resources("AWS::Lambda::Function")["S3EventsFunction"]
    queue = on.resources("AWS::SQS::Queue")["S3EventsQueue"]
    assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]
    granted = {role: s["Action"] for role, s in statements(on) if "sqs:" in str(s)}
    assert granted == {
        "S3EventsFunctionRole": [
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
        ]
    }


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR"])
def test_lines_of_metrics_are_kept_at_every_level(transformed: dict[str, Any], level: str) -> None:
    stack = Stack(transformed, {"SourceBucketName": "client-bucket", "LogLevel": level})
    for function in stack.resources("AWS::Lambda::Function").values():
        assert variables(function)["LOG_LEVEL"] == level
        # Lambda takes a line without a level for one of INFO, and knows no level WARNING.
        kept = function["LoggingConfig"]["ApplicationLogLevel"]
        assert kept == ("DEBUG" if level == "DEBUG" else "INFO")


def test_concurrency_is_reserved_only_where_that_is_asked_for(transformed: dict[str, Any]) -> None:
    """A new account has 10 execution environments in all, of which none can be reserved."""
    parameters = {"SourceBucketName": "client-bucket", "CallbackUrl": "https://client.test/hook"}
    bounded = Stack(transformed, parameters | {"IngestConcurrency": "80"})
    for stack, reserved in [
        (Stack(transformed, parameters), {}),
        (bounded, {"IngestFunction": "80", "NotifyFunction": 1}),
    ]:
        functions = stack.resources("AWS::Lambda::Function")
        found = {name: f.get("ReservedConcurrentExecutions") for name, f in functions.items()}
        assert {name: limit for name, limit in found.items() if limit is not None} == reserved


def test_the_api_throttles_every_route(transformed: dict[str, Any]) -> None:
    rates = {"IngestRatePerSecond": "7", "IngestBurst": "9"}
    stack = Stack(transformed, {"SourceBucketName": "client-bucket", **rates})
    [stage] = stack.resources("AWS::ApiGatewayV2::Stage").values()
    throttled = {"ThrottlingRateLimit": "7", "ThrottlingBurstLimit": "9"}
    assert stage["DefaultRouteSettings"] == throttled
    [api] = stack.resources("AWS::ApiGatewayV2::Api").values()
    posted = {f"POST {path}" for path, of in api["Body"]["paths"].items() if "post" in of}
    # A setting for a route that does not exist fails the deployment.
    assert stage["RouteSettings"].keys() == {"POST /sync", "POST /sync/{proxy+}"} < posted
    assert all(settings == throttled for settings in stage["RouteSettings"].values())


def test_the_admin_can_be_left_out(transformed: dict[str, Any]) -> None:
    stack = Stack(transformed, {"SourceBucketName": "client-bucket", "Admin": "false"})
    made = {name for kind in stack.kinds() for name in stack.resources(kind)}
    assert not [name for name in made if name.startswith("Admin")]
    [api] = stack.resources("AWS::ApiGatewayV2::Api").values()
    assert not [path for path in api["Body"]["paths"] if re.match("/(admin|media)", path)]


def test_the_admin_can_be_bound_to_networks(transformed: dict[str, Any]) -> None:
    bound = {"SourceBucketName": "client-bucket", "AdminNetworks": "192.0.2.0/24"}
    admin = Stack(transformed, bound).resources("AWS::Lambda::Function")["AdminFunction"]
    assert variables(admin)["ADMIN_NETWORKS"] == "192.0.2.0/24"


def test_rules_use_what_rules_may_use(transformed: dict[str, Any]) -> None:
    """cfn-lint looks at the outermost function of a rule only."""
    allowed = {"Ref", "Fn::And", "Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn"}
    allowed |= {"Fn::Equals", "Fn::Not", "Fn::Or", "Fn::RefAll", "Fn::ValueOf", "Fn::ValueOfAll"}
    rules = transformed["Rules"]
    assert set(re.findall(r'"(Fn::\w+|Ref)"', json.dumps(rules))) <= allowed
    assert len(rules) == 5


def test_nothing_is_open_to_the_internet_or_unencrypted(stack: Stack) -> None:
    for group in stack.resources("AWS::EC2::SecurityGroup").values():
        for rule in group.get("SecurityGroupIngress", ()):
            assert "CidrIp" not in rule
    for database in stack.resources("AWS::RDS::DBInstance").values():
        assert (database["PubliclyAccessible"], database["StorageEncrypted"]) == (False, True)
    for broker in stack.resources("AWS::AmazonMQ::Broker").values():
        assert broker["PubliclyAccessible"] is False
        # Amazon MQ makes no RabbitMQ 3.13 or later without it.
        assert broker["AutoMinorVersionUpgrade"] is True
    for storage in stack.resources("AWS::EFS::FileSystem").values():
        assert storage["Encrypted"] is True


def test_passwords_are_generated_and_only_referred_to(stack: Stack) -> None:
    for name, secret in stack.resources("AWS::SecretsManager::Secret").items():
        if "GenerateSecretString" in secret:
            assert secret["GenerateSecretString"]["PasswordLength"] >= 48
            # Letters and digits alone need no quoting in a URL, and no server refuses them.
            assert secret["GenerateSecretString"]["ExcludePunctuation"] is True
        # NASA's public demonstration key, and a URL of the person who deploys.
        elif name not in {"NasaApiKeySecret", "CallbackUrlSecret"}:
            assert "{{resolve:secretsmanager:" in secret["SecretString"]


def test_packages_are_small_and_hold_one_function_each() -> None:
    packages = ROOT / os.environ["AWS_PACKAGES"]
    for name in FUNCTIONS:
        package = packages / f"{name.title().replace('_', '')}Function"
        files = [p for p in package.rglob("*") if p.is_file()]
        size = sum(p.stat().st_size for p in files)
        assert size < (25e6 if name in ("ingest", "stats") else 100e6), f"{name}: {size}"
        inside = {p.relative_to(package).parts for p in files}
        held = {p[1] for p in inside if p[0] == "functions"}
        assert held == {"__init__.py", "__pycache__", name}
        foreign = {"local", "tests", "pytest", "moto"} & {p[0] for p in inside}
        assert not foreign
        if name in ("ingest", "stats"):
            assert not {"boto3", "botocore", "awscrt"} & {p[0] for p in inside}


def test_packages_hold_compiled_modules_that_are_read_without_a_look_at_their_sources() -> None:
    tag = sys.implementation.cache_tag
    for package in (ROOT / os.environ["AWS_PACKAGES"]).glob("*Function"):
        for source in (package / "shared").rglob("*.py"):
            compiled = source.parent / "__pycache__" / f"{source.stem}.{tag}.pyc"
            flags = int.from_bytes(compiled.read_bytes()[4:8], "little")
            assert flags == 0b01  # PEP 552: by hash, unchecked


def test_the_sizes_are_printed_and_a_package_that_is_too_large_ends_the_build(
    tmp_path: Path,
) -> None:
    for name, size in [("StatsFunction", 24_999_999), ("SyncWorkerFunction", 60_000_000)]:
        (tmp_path / name).mkdir()
        with (tmp_path / name / "file").open("wb") as file:
            file.truncate(size)
    command = ["make", "--no-print-directory", "package-sizes", f"PACKAGES={tmp_path}"]
    fits = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert fits.returncode == 0
    assert re.search(r"StatsFunction +25\.0 MB", fits.stdout)
    with (tmp_path / "StatsFunction" / "file").open("ab") as file:
        file.write(b"x")
    too_large = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert too_large.returncode != 0
    assert "StatsFunction is too large" in too_large.stderr


def test_no_lock_file_names_where_packages_come_from() -> None:
    locks = [*ROOT.glob("functions/*/requirements.txt"), *ROOT.glob("requirements/*.txt")]
    assert len(locks) >= len(FUNCTIONS)
    for lock in locks:
        assert not re.search(r"://|--(extra-)?index|--find-links", lock.read_text()), lock


def test_motos_cloudformation_makes_the_stack_as_far_as_it_goes(
    transformed: dict[str, Any], tmp_path: Path
) -> None:
    source = tmp_path / "template.json"
    source.write_text(json.dumps(transformed))
    printed = subprocess.run(
        [tool("python"), str(ROOT / "tests/aws/cloudformation.py"), str(source)],
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": REGION, "HOME": str(tmp_path)},
        timeout=300,
    )
    report = json.loads(printed.stdout)
    assert report["status"] == "CREATE_COMPLETE"
    assert sorted(report["functions"].values()) == [
        f"functions.{name}.handler.handler" for name in FUNCTIONS
    ]
    assert {"Database", "SyncWorkerFunctionRole", "RequeueFunctionEveryMinute"} <= set(
        report["made"]
    )
    assert "MigrateFunctionName" in report["outputs"]
