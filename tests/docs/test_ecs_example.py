"""docs/examples/ecs.yaml fits the stack of template.yaml, the image and the settings."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from functions.requeue.service import ENOUGH_WAITING
from local.setting_names import OURS
from local.watchdog import GRACE_SECONDS
from shared.config.settings import Settings
from shared.metrics.catalog import QUEUE_MESSAGES
from shared.queue.rabbitmq.topology import QUEUE
from tests.aws.stack import Stack, statements
from tests.docs.examples import EXAMPLES, template
from tests.helpers.paths import ROOT

KEY = "arn:aws:kms:eu-west-1:123456789012:key/k"
GIVEN = {
    "Image": "registry.example/sync:1.0.0",
    "RepositoryArn": "arn:aws:ecr:eu-west-1:123456789012:repository/sync",
    "SourceBucketName": "client-bucket",
}
OUTSIDE = {
    "external-storage-sync-StorageAccessPointArn": (
        "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-1"
    )
}
EXAMPLE = template(EXAMPLES / "ecs.yaml")
MAIN = template(ROOT / "template.yaml")


FULL = {"SourceBucketKmsKeyArn": KEY, "Callbacks": "true"}
OWN_SERVERS = {"DatabaseUrlSecretArn": "arn:database", "RabbitmqUrlSecretArn": "arn:rabbitmq"}
OF_MADE_SERVERS = {
    "WorkerDatabaseUrl": (
        "postgresql://sync_worker@<Database.Endpoint.Address>:<Database.Endpoint.Port>/sync"
        "?sslmode=verify-full"
    ),
    "WorkerDatabaseUser": (
        "arn:aws:rds-db:eu-west-1:123456789012:dbuser:<Database.DbiResourceId>/sync_worker"
    ),
    "BrokerUrl": "amqps://<Broker.AmqpEndpoints>/%2F",
    "BrokerLoginSecretArn": "<BrokerCredentialsSecret>",
}
"""Exports of a stack that made its servers; of others the owner has the secrets."""


@pytest.fixture(params=[{}, FULL, OWN_SERVERS], ids=["plain", "full", "own servers"])
def stack(request: pytest.FixtureRequest) -> Stack:
    return Stack(EXAMPLE, GIVEN | request.param, OUTSIDE)


@pytest.fixture
def task(stack: Stack) -> dict[str, Any]:
    return stack.resources("AWS::ECS::TaskDefinition")["Task"]


@pytest.fixture
def container(task: dict[str, Any]) -> dict[str, Any]:
    [found] = task["ContainerDefinitions"]
    return dict(found)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_the_stack_exports_all_that_is_imported() -> None:
    exported = {o["Export"]["Name"]["Fn::Sub"] for o in MAIN["Outputs"].values() if "Export" in o}
    text = (EXAMPLES / "ecs.yaml").read_text()
    imported = set(re.findall(r'ImportValue"?: !Sub "?\$\{Stack\}-(\w+)', text))
    assert imported
    assert text.count("ImportValue") == len(
        re.findall(r"ImportValue\"?: !Sub \"?\$\{Stack\}-", text)
    )
    assert {f"${{AWS::StackName}}-{name}" for name in imported} == exported


@pytest.mark.parametrize("made", [True, False])
def test_an_exported_value_is_a_text(made: bool) -> None:
    existing = {
        "VpcId": "vpc-1",
        "SubnetIds": "subnet-1,subnet-2",
        "FunctionSecurityGroupId": "sg-1",
        "DatabaseUrlSecretArn": "arn:database",
        "BrokerArn": "arn:broker",
        "RabbitmqUrlSecretArn": "arn:rabbitmq",
        "FileSystemId": "fs-1",
        "AccessPointArn": "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-1",
    }
    callbacks = {"CallbackUrl": "https://client.test/hook"}
    stack = Stack(MAIN, callbacks if made else callbacks | existing)
    values = {
        name: stack.resolve(output["Value"])
        for name, output in MAIN["Outputs"].items()
        if "Export" in output
        and ("Condition" not in output or stack.condition(output["Condition"]))
    }
    assert values == {
        "StorageFileSystemId": "<StorageFileSystem>" if made else "fs-1",
        "StorageAccessPointArn": (
            "<StorageAccessPoint.Arn>" if made else existing["AccessPointArn"]
        ),
        **(OF_MADE_SERVERS if made else {}),
        "SubnetIdsInUse": "<PrivateSubnetA>,<PrivateSubnetB>" if made else "subnet-1,subnet-2",
        "FunctionSecurityGroupIdInUse": "<FunctionSecurityGroup>" if made else "sg-1",
        "CallbackUrlSecretArn": "<CallbackUrlSecret>",
    }


def test_a_trigger_may_do_what_the_worker_may_but_for_lambdas_own(stack: Stack) -> None:
    worker = MAIN["Resources"]["SyncWorkerFunction"]["Properties"]["Policies"]
    own = {"SourceBucketKmsKeyArn": KEY, "CallbackUrl": "https://client.test/hook"}
    given = own if stack.condition("SendCallbacks") else {}
    given |= {} if stack.condition("OwnDatabase") else OWN_SERVERS
    [*_, policy] = Stack(MAIN, given).resolve(worker)
    of_worker = {s["Sid"]: sorted(listed(s["Action"])) for s in policy["Statement"]}
    of_task = {
        s["Sid"]: sorted(listed(s["Action"])) for role, s in statements(stack) if role == "TaskRole"
    }
    # What its event source mapping needs.
    for sid in ("ConnectMappingToBroker", "DescribeBroker", "ReadBrokerLogin"):
        del of_worker[sid]
    assert of_task == of_worker


def test_no_role_may_more_than_it_needs(stack: Stack, task: dict[str, Any]) -> None:
    for role, statement in statements(stack):
        actions = listed(statement["Action"])
        assert not [action for action in actions if "*" in action]
        if "*" in listed(statement["Resource"]):
            assert (role, actions) == ("ExecutionRole", ["ecr:GetAuthorizationToken"])
    for name, properties in stack.resources("AWS::IAM::Role").items():
        assert "ManagedPolicyArns" not in properties
        [trust] = properties["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
        assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"}, name
    assert task["ExecutionRoleArn"] == "<ExecutionRole.Arn>"
    assert task["TaskRoleArn"] == "<TaskRole.Arn>"


def test_the_environment_is_settings_and_no_secret(stack: Stack, container: dict[str, Any]) -> None:
    given = {variable["Name"]: variable["Value"] for variable in container["Environment"]}
    assert set(given) - {"AWS_REGION"} <= OURS
    for field in Settings.__dataclass_fields__.values():
        name = field.metadata["name"]
        if field.metadata["secret"] and name in given:
            assert name in {"DATABASE_URL", "RABBITMQ_URL"}
            assert urlsplit(given[name]).password is None
    assert "Secrets" not in container
    secrets = {v.partition("#")[0] for name, v in given.items() if name.endswith("_ARN")}
    [statement] = [
        s for role, s in statements(stack) if (role, s["Sid"]) == ("TaskRole", "ReadOwnSecrets")
    ]
    assert set(statement["Resource"]) == secrets
    [mount] = container["MountPoints"]
    assert mount["ContainerPath"] == given["STORAGE_PATH"]
    [tmpfs] = container["LinuxParameters"]["Tmpfs"]
    assert given["DATA_DIR"].startswith(tmpfs["ContainerPath"] + "/")


def test_a_trigger_logs_in_as_the_worker(stack: Stack, container: dict[str, Any]) -> None:
    given = {variable["Name"]: variable["Value"] for variable in container["Environment"]}
    if not stack.condition("OwnDatabase"):
        assert (given["DATABASE_URL_ARN"], given["DATABASE_AUTH"]) == ("arn:database", "password")
        assert given["RABBITMQ_URL_ARN"] == "arn:rabbitmq"
        return
    assert given["DATABASE_URL"].endswith("WorkerDatabaseUrl>&sslrootcert=/etc/rds-ca.pem")
    assert given["DATABASE_AUTH"] == "iam"
    assert given["RABBITMQ_USER_ARN"].endswith("BrokerLoginSecretArn>#username")
    assert given["RABBITMQ_PASSWORD_ARN"].endswith("BrokerLoginSecretArn>#password")


def test_a_container_can_do_nothing_but_copy(
    container: dict[str, Any], task: dict[str, Any]
) -> None:
    user = MAIN["Resources"]["StorageAccessPoint"]["Properties"]["PosixUser"]
    assert container["User"] == f"{user['Uid']}:{user['Gid']}"
    assert container["ReadonlyRootFilesystem"] is True
    assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
    [volume] = task["Volumes"]
    assert volume["EFSVolumeConfiguration"]["TransitEncryption"] == "ENABLED"
    assert volume["EFSVolumeConfiguration"]["AuthorizationConfig"] == {
        "IAM": "ENABLED",
        "AccessPointId": "fsap-1",
    }
    assert container["StopTimeout"] > GRACE_SECONDS


def test_the_scaling_reads_what_requeue_measures(stack: Stack) -> None:
    [policy] = stack.resources("AWS::ApplicationAutoScaling::ScalingPolicy").values()
    configuration = policy["TargetTrackingScalingPolicyConfiguration"]
    metrics = configuration["CustomizedMetricSpecification"]["Metrics"]
    backlog, tasks, per_task = metrics
    metric = backlog["MetricStat"]["Metric"]
    assert metric["MetricName"] == QUEUE_MESSAGES.name
    assert [d["Name"] for d in metric["Dimensions"]] == list(QUEUE_MESSAGES.labels)
    assert [d["Value"] for d in metric["Dimensions"]] == [QUEUE]
    namespace = MAIN["Globals"]["Function"]["Environment"]["Variables"]["METRICS_NAMESPACE"]
    main = Stack(MAIN, {}).resolve(namespace)
    assert metric["Namespace"] == main.replace("under-test", "external-storage-sync")
    assert tasks["MetricStat"]["Metric"]["MetricName"] == "RunningTaskCount"
    assert [m["ReturnData"] for m in metrics] == [False, False, True]
    used = set(re.findall(r"\b[a-z]\w*\b", per_task["Expression"]))
    assert used == {backlog["Id"], tasks["Id"]}


def test_the_most_tasks_are_reached_with_the_messages_that_requeue_publishes(stack: Stack) -> None:
    [target] = stack.resources("AWS::ApplicationAutoScaling::ScalableTarget").values()
    [policy] = stack.resources("AWS::ApplicationAutoScaling::ScalingPolicy").values()
    value = policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"]
    assert target["MaxCapacity"] * value <= ENOUGH_WAITING
    # 0 times anything stays 0.
    assert EXAMPLE["Parameters"]["MinTasks"]["MinValue"] == 1
    assert "DesiredCount" not in json.dumps(stack.resources("AWS::ECS::Service"))


def test_it_is_yaml_that_cloudformation_takes() -> None:
    tokens = yaml.scan((EXAMPLES / "ecs.yaml").read_text())
    assert not [token for token in tokens if isinstance(token, yaml.AliasToken)]


def test_no_output_has_the_name_of_a_parameter() -> None:
    # `sam build` takes such a name for the parameter's value, and fails if that is a list.
    assert not MAIN["Outputs"].keys() & {*MAIN["Parameters"], *MAIN["Resources"]}
