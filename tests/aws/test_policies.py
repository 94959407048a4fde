"""Who may do what, and what reaches what: roles, the file system's policy, endpoints, groups."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.aws.stack import PSEUDO, Stack, statements

KEY = "arn:aws:kms:eu-west-1:123456789012:key/k"
EVERYTHING = {
    "SourceBucketName": "client-bucket",
    "CallbackUrl": "https://client.test/hook",
    "S3Events": "eventbridge",
}
WORLD = "0.0.0.0/0"
OWN = (
    r":123456789012:|^<Sync|:::client-bucket|:::prod-eu-west-1-starport-layer-bucket/"
    r"|:::cloudformation-custom-resource-response-euwest1/"
)
"""What is of this account, the client's bucket, images of ECR, and what CloudFormation asks for."""


@pytest.fixture
def stack(transformed: dict[str, Any]) -> Stack:
    return Stack(transformed, EVERYTHING)


@pytest.fixture
def encrypted(transformed: dict[str, Any]) -> Stack:
    return Stack(transformed, EVERYTHING | {"KmsKeyArn": KEY})


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_no_functions_code_reaches_network_interfaces(stack: Stack) -> None:
    """Every function is in the VPC, so each of their roles may make and delete interfaces."""
    denied = {role: s for role, s in statements(stack) if s["Effect"] == "Deny"}
    functions = stack.resources("AWS::Lambda::Function")
    assert {role.removesuffix("Role") for role in denied} == set(functions)
    for name, function in functions.items():
        statement = denied[f"{name}Role"]
        assert (statement["Action"], statement["Resource"]) == ("ec2:*", "*")
        [pattern] = statement["Condition"]["ArnLike"].values()
        arn = f"arn:aws:lambda:eu-west-1:{PSEUDO['AWS::AccountId']}:function:"
        assert fnmatchcase(arn + function["FunctionName"], pattern)
        # Without it the role itself would lose them, and Lambda with it.
        assert list(statement["Condition"]["ArnLike"]) == ["lambda:SourceFunctionArn"]


def test_the_functions_that_strangers_reach_may_do_the_least(stack: Stack) -> None:
    """Beside the ledger, their own secrets, logs and traces."""
    allowed: dict[str, set[str]] = defaultdict(set)
    for role, statement in statements(stack):
        if statement["Effect"] == "Allow":
            allowed[role.removesuffix("FunctionRole")] |= set(listed(statement["Action"]))
    ledger = {"rds-db:connect"}
    own = ledger | {"secretsmanager:GetSecretValue"}
    files = {"elasticfilesystem:ClientMount"}
    queue = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
    network = {
        f"ec2:{action}"
        for action in (
            "CreateNetworkInterface",
            "DeleteNetworkInterface",
            "DescribeNetworkInterfaces",
            "DescribeSecurityGroups",
            "DescribeSubnets",
            "DescribeVpcs",
        )
    }
    assert allowed == {
        "Ingest": own,
        "Stats": ledger,
        "Admin": own | files,
        "Requeue": own,
        "Scrub": ledger | files,
        "Reconcile": ledger | files | {"s3:ListBucket"},
        "S3Events": own | queue,
        "Notify": own,
        "Migrate": own,
        "SyncWorker": own
        | files
        | network
        | {"elasticfilesystem:ClientWrite", "s3:GetObject", "s3:ListBucket"}
        | {"lambda:InvokeFunction", "mq:DescribeBroker"},
    }


@pytest.mark.parametrize("given", [{}, {"Queue": "sqs"}, EVERYTHING])
def test_every_statement_names_a_resource(
    transformed: dict[str, Any], given: dict[str, str]
) -> None:
    """IAM refuses a role with an empty list (IAM user guide, "Grammar of the policy language")."""
    for role, statement in statements(Stack(transformed, {"SourceBucketName": "b-1"} | given)):
        assert listed(statement["Action"]), role
        assert listed(statement["Resource"]), role


def test_the_file_system_admits_no_one_by_default(stack: Stack) -> None:
    [storage] = stack.resources("AWS::EFS::FileSystem").values()
    policy = {s["Sid"]: s for s in storage["FileSystemPolicy"]["Statement"]}
    # No statement allows: what a role may is its own policies' to say.
    assert {s["Effect"] for s in policy.values()} == {"Deny"}
    assert policy["OnlyEncrypted"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert policy["OnlyEncrypted"]["Action"] == "*"
    through = policy["OnlyThroughAnAccessPoint"]
    assert through["Condition"] == {"Null": {"elasticfilesystem:AccessPointArn": "true"}}
    assert set(through["Action"]) == {
        "elasticfilesystem:ClientMount",
        "elasticfilesystem:ClientWrite",
    }
    assert policy["NeverAsRoot"]["Action"] == "elasticfilesystem:ClientRootAccess"
    assert "Condition" not in policy["NeverAsRoot"]
    [point] = stack.resources("AWS::EFS::AccessPoint").values()
    assert point["PosixUser"]["Uid"] != "0"


@pytest.mark.parametrize("queue", ["rabbitmq", "sqs"])
@pytest.mark.parametrize("gateways", ["0", "1", "2"])
def test_an_endpoint_passes_only_what_the_stack_needs(
    transformed: dict[str, Any], gateways: str, queue: str
) -> None:
    parameters = {"NatGateways": gateways, "Queue": queue}
    stack = Stack(transformed, {"SourceBucketName": "client-bucket", **parameters})
    for endpoint in stack.resources("AWS::EC2::VPCEndpoint").values():
        for statement in endpoint["PolicyDocument"]["Statement"]:
            assert not [a for a in listed(statement["Action"]) if a.endswith("*")]
            if statement["Action"] == "secretsmanager:BatchGetSecretValue":  # has no resources
                assert statement["Condition"] == {
                    "StringEquals": {"aws:PrincipalAccount": "123456789012"}
                }
                continue
            for resource in listed(statement["Resource"]):
                assert re.search(OWN, resource), resource


def test_the_buckets_objects_are_read_with_this_accounts_credentials_only(stack: Stack) -> None:
    [endpoint] = stack.resources("AWS::EC2::VPCEndpoint").values()
    by_name = {s["Sid"]: s for s in endpoint["PolicyDocument"]["Statement"]}
    bucket = by_name["TheClientsBucket"]
    assert bucket["Condition"] == {"StringEquals": {"aws:PrincipalAccount": "123456789012"}}
    worker = {
        action
        for role, s in statements(stack)
        if role == "SyncWorkerFunctionRole"
        for action in listed(s["Action"])
        if action.startswith("s3:")
    }
    assert set(bucket["Action"]) == worker


class Network:
    """The security groups of a stack, and which connections they let through."""

    def __init__(self, stack: Stack) -> None:
        self.functions = {
            name.removesuffix("Function"): f["VpcConfig"]["SecurityGroupIds"]
            for name, f in stack.resources("AWS::Lambda::Function").items()
        }
        groups = stack.resources("AWS::EC2::SecurityGroup")
        self.egress = {_name(n): [*g["SecurityGroupEgress"]] for n, g in groups.items()}
        self.ingress = {_name(n): [*g.get("SecurityGroupIngress", ())] for n, g in groups.items()}
        for rule in stack.resources("AWS::EC2::SecurityGroupEgress").values():
            self.egress[_bare(rule["GroupId"])].append(rule)
        for rule in stack.resources("AWS::EC2::SecurityGroupIngress").values():
            self.ingress[_bare(rule["GroupId"])].append(rule)

    def reaches(self, function: str) -> set[str]:
        """Return the servers that a function reaches, by both sides' rules, and ports elsewhere."""
        own = {_bare(group) for group in self.functions[function]}
        return {name for group in own for name in self.leads(group, own)}

    def leads(self, group: str, own: set[str]) -> Iterator[str]:
        """Yield where one group's rules lead a member of several groups."""
        for rule in self.egress[group]:
            server = _bare(rule.get("DestinationSecurityGroupId", ""))
            if rule.get("CidrIp") == WORLD:
                yield f"{rule['FromPort']}-{rule['ToPort']} anywhere"
            for admitted in self.ingress.get(server, ()):
                ports = (admitted["FromPort"], admitted["ToPort"])
                source = _bare(admitted["SourceSecurityGroupId"])
                if source in own and ports == (rule["FromPort"], rule["ToPort"]):
                    yield server


def _bare(group: str) -> str:
    return group.strip("<>").removesuffix(".GroupId").removesuffix("SecurityGroup")


def _name(logical_id: str) -> str:
    return logical_id.removesuffix("SecurityGroup")


AWS_SERVICES = "443-443 anywhere"


def test_each_function_reaches_the_servers_that_it_uses_and_no_others(stack: Stack) -> None:
    network = Network(stack)
    assert {name: network.reaches(name) for name in network.functions} == {
        "Ingest": {"Database", "Broker", AWS_SERVICES},
        "Stats": {"Database", AWS_SERVICES},
        "Admin": {"Database", "Storage", AWS_SERVICES},
        "SyncWorker": {"Database", "Broker", "Storage", AWS_SERVICES},
        "Requeue": {"Database", "Broker", AWS_SERVICES},
        "Scrub": {"Database", "Storage", AWS_SERVICES},
        "Reconcile": {"Database", "Storage", AWS_SERVICES},
        "S3Events": {"Database", "Broker", AWS_SERVICES},
        "Notify": {"Database", AWS_SERVICES, "1-65535 anywhere"},
        "Migrate": {"Database", "Broker", AWS_SERVICES},
    }


def test_with_sqs_no_function_reaches_a_broker(transformed: dict[str, Any]) -> None:
    network = Network(Stack(transformed, EVERYTHING | {"Queue": "sqs"}))
    assert "BrokerClient" not in network.egress
    reached = {name for function in network.functions for name in network.reaches(function)}
    assert reached == {"Database", "Storage", AWS_SERVICES, "1-65535 anywhere"}


def test_a_function_has_no_more_groups_than_lambda_takes(stack: Stack) -> None:
    assert max(map(len, Network(stack).functions.values())) <= 5


def test_a_function_that_is_told_of_a_server_reaches_it(stack: Stack) -> None:
    network = Network(stack)
    for name, function in stack.resources("AWS::Lambda::Function").items():
        told = function["Environment"]["Variables"]
        reached = network.reaches(name.removesuffix("Function"))
        assert ("RABBITMQ_URL" in told) == ("Broker" in reached), name
        assert ("STORAGE_PATH" in told) == ("Storage" in reached), name
        assert ("DATABASE_URL" in told) == ("Database" in reached), name


def test_no_server_opens_a_connection(stack: Stack) -> None:
    network = Network(stack)
    for server in ("Database", "Storage", "Endpoint"):
        for rule in network.egress.get(server, ()):
            assert rule["CidrIp"] == "127.0.0.1/32"


def test_the_event_source_mapping_reaches_the_broker_and_aws(stack: Stack) -> None:
    """Its network interfaces are in the broker's group."""
    network = Network(stack)
    assert set(network.leads("Broker", {"Broker"})) == {"Broker", AWS_SERVICES}


def test_existing_servers_are_reached_at_their_usual_ports(transformed: dict[str, Any]) -> None:
    existing = {
        "SourceBucketName": "client-bucket",
        "DatabaseUrlSecretArn": "arn:database",
        "BrokerArn": "arn:broker",
        "BrokerCredentialsSecretArn": "arn:credentials",
        "RabbitmqUrlSecretArn": "arn:rabbitmq",
        "FileSystemId": "fs-1",
        "AccessPointArn": "arn:access-point",
    }
    network = Network(Stack(transformed, existing))
    assert network.reaches("SyncWorker") == {
        AWS_SERVICES,
        "5432-5432 anywhere",
        "5671-5671 anywhere",
        "2049-2049 anywhere",
    }


def test_a_security_group_that_is_given_is_the_only_one(transformed: dict[str, Any]) -> None:
    given = {**EVERYTHING, "VpcId": "v", "SubnetIds": "a,b", "FunctionSecurityGroupId": "sg-1"}
    network = Network(Stack(transformed, given))
    assert set(map(tuple, network.functions.values())) == {("sg-1",)}
    assert network.egress.keys() == {"Database", "Broker", "Storage"}


KEY_PROPERTY = {
    "AWS::RDS::DBInstance": "KmsKeyId",
    "AWS::EFS::FileSystem": "KmsKeyId",
    "AWS::SecretsManager::Secret": "KmsKeyId",
    "AWS::Logs::LogGroup": "KmsKeyId",
    "AWS::SQS::Queue": "KmsMasterKeyId",
}


def test_everything_that_keeps_data_takes_the_key(stack: Stack, encrypted: Stack) -> None:
    for kind, name in KEY_PROPERTY.items():
        resources = encrypted.resources(kind)
        assert resources
        assert {r.get(name) for r in resources.values()} == {KEY}, kind
        assert {r.get(name) for r in stack.resources(kind).values()} == {None}, kind
    [broker] = encrypted.resources("AWS::AmazonMQ::Broker").values()
    assert broker["EncryptionOptions"] == {"UseAwsOwnedKey": False, "KmsKeyId": KEY}
    [broker] = stack.resources("AWS::AmazonMQ::Broker").values()
    assert "EncryptionOptions" not in broker


def test_the_key_is_used_through_the_services_that_need_it_only(
    stack: Stack, encrypted: Stack
) -> None:
    assert not [s for _, s in statements(stack) if "kms:" in str(s["Action"])]
    granted = [(role, s) for role, s in statements(encrypted) if "kms:" in str(s["Action"])]
    functions = encrypted.resources("AWS::Lambda::Function")
    assert {role.removesuffix("Role") for role, _ in granted} == set(functions)
    for _, statement in granted:
        assert statement["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
        assert statement["Resource"] == KEY
        services = statement["Condition"]["StringEquals"]["kms:ViaService"]
        assert services == ["secretsmanager.eu-west-1.amazonaws.com", "sqs.eu-west-1.amazonaws.com"]
