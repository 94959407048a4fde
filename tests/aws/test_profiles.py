"""What `Profile` sets, what overrides it, and what outlives the stack."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.aws.stack import Stack
from tests.helpers.paths import ROOT

BUCKET = {"SourceBucketName": "client-bucket"}


def settings(stack: Stack) -> dict[str, Any]:
    """Return what a profile decides."""
    [database] = stack.resources("AWS::RDS::DBInstance").values()
    [broker] = stack.resources("AWS::AmazonMQ::Broker").values()
    return {
        "DatabaseInstanceClass": database["DBInstanceClass"],
        "DatabaseMultiAz": database["MultiAZ"],
        "DatabaseBackupDays": database["BackupRetentionPeriod"],
        "DeletionProtection": database["DeletionProtection"],
        "BrokerInstanceType": broker["HostInstanceType"],
        "BrokerDeploymentMode": broker["DeploymentMode"],
        "NatGateways": len(stack.resources("AWS::EC2::NatGateway")),
    }


PRODUCTION: dict[str, Any] = {
    "DatabaseInstanceClass": "db.m7g.large",
    "DatabaseMultiAz": True,
    "DatabaseBackupDays": "35",
    "DeletionProtection": True,
    "BrokerInstanceType": "mq.m7g.large",
    "BrokerDeploymentMode": "CLUSTER_MULTI_AZ",
    "NatGateways": 2,
}
TRIAL: dict[str, Any] = {
    "DatabaseInstanceClass": "db.t4g.small",
    "DatabaseMultiAz": False,
    "DatabaseBackupDays": "7",
    "DeletionProtection": False,
    "BrokerInstanceType": "mq.m7g.medium",
    "BrokerDeploymentMode": "SINGLE_INSTANCE",
    "NatGateways": 1,
}


@pytest.mark.parametrize(
    ("profile", "expected"),
    [({}, PRODUCTION), ({"Profile": "production"}, PRODUCTION), ({"Profile": "trial"}, TRIAL)],
    ids=["default", "production", "trial"],
)
def test_a_profile_sets_what_is_left_empty(
    transformed: dict[str, Any], profile: dict[str, str], expected: dict[str, Any]
) -> None:
    assert settings(Stack(transformed, BUCKET | profile)) == expected


@pytest.mark.parametrize("profile", ["production", "trial"])
@pytest.mark.parametrize("given", [PRODUCTION, TRIAL], ids=["as production", "as trial"])
@pytest.mark.parametrize("name", PRODUCTION)
def test_a_parameter_that_is_given_overrides_the_profile(
    transformed: dict[str, Any], profile: str, given: dict[str, Any], name: str
) -> None:
    value = given[name]
    text = str(value).lower() if isinstance(value, bool) else str(value)
    stack = Stack(transformed, BUCKET | {"Profile": profile, name: text})
    expected = PRODUCTION if profile == "production" else TRIAL
    assert settings(stack) == expected | {name: value}


def test_the_brokers_nodes_are_in_as_many_subnets_as_its_mode_takes(
    transformed: dict[str, Any],
) -> None:
    for profile, subnets in (("production", 2), ("trial", 1)):
        stack = Stack(transformed, BUCKET | {"Profile": profile})
        [broker] = stack.resources("AWS::AmazonMQ::Broker").values()
        assert len(broker["SubnetIds"]) == subnets


def routes(stack: Stack) -> dict[str, str]:
    """Return where each private subnet's way out leads."""
    tables = {
        association["SubnetId"]: association["RouteTableId"]
        for association in stack.resources("AWS::EC2::SubnetRouteTableAssociation").values()
    }
    ways = {
        route["RouteTableId"]: route.get("NatGatewayId", "")
        for route in stack.resources("AWS::EC2::Route").values()
    }
    return {subnet: ways.get(table, "") for subnet, table in tables.items() if "Private" in subnet}


@pytest.mark.parametrize(
    ("gateways", "ways"),
    [
        ("0", ["", ""]),
        ("1", ["<NatGateway>", "<NatGateway>"]),
        ("2", ["<NatGateway>", "<NatGatewayB>"]),
    ],
)
def test_each_zone_has_its_way_out(
    transformed: dict[str, Any], gateways: str, ways: list[str]
) -> None:
    stack = Stack(transformed, BUCKET | {"NatGateways": gateways})
    found = routes(stack)
    assert [found["<PrivateSubnetA>"], found["<PrivateSubnetB>"]] == ways
    subnets = stack.resources("AWS::EC2::Subnet")
    assert len({s["CidrBlock"] for s in subnets.values()}) == len(subnets)
    gateway = stack.resources("AWS::EC2::NatGateway")
    zones = {subnets[g["SubnetId"].strip("<>")]["AvailabilityZone"] for g in gateway.values()}
    assert len(zones) == int(gateways)
    internet = stack.resources("AWS::EC2::InternetGateway")
    assert len(internet) == (0 if gateways == "0" else 1)
    # The objects come through S3's endpoint from both subnets.
    [s3] = [
        e for e in stack.resources("AWS::EC2::VPCEndpoint").values() if "s3" in e["ServiceName"]
    ]
    tables = {
        a["RouteTableId"]
        for a in stack.resources("AWS::EC2::SubnetRouteTableAssociation").values()
        if "Private" in a["SubnetId"]
    }
    assert set(s3["RouteTableIds"]) == tables


def test_without_nat_gateways_aws_is_reached_through_endpoints(transformed: dict[str, Any]) -> None:
    stack = Stack(transformed, BUCKET | {"NatGateways": "0"})
    endpoints = stack.resources("AWS::EC2::VPCEndpoint").values()
    assert {e["ServiceName"].rpartition(".")[2] for e in endpoints} == {
        "lambda",
        "s3",
        "secretsmanager",
        "sts",
    }
    for endpoint in endpoints:
        if endpoint["VpcEndpointType"] == "Interface":
            assert endpoint["PrivateDnsEnabled"] is True
            assert endpoint["SubnetIds"] == ["<PrivateSubnetA>", "<PrivateSubnetB>"]


def test_without_nat_gateways_sqs_has_an_endpoint_where_it_is_the_queue(
    transformed: dict[str, Any],
) -> None:
    stack = Stack(transformed, BUCKET | {"NatGateways": "0", "Queue": "sqs"})
    endpoints = stack.resources("AWS::EC2::VPCEndpoint").values()
    assert "com.amazonaws.eu-west-1.sqs" in {e["ServiceName"] for e in endpoints}


def test_the_functions_way_out_is_there_before_the_ledger_is_made(
    transformed: dict[str, Any],
) -> None:
    for gateways, ways in (
        ("0", {"<SecretsManagerEndpoint>"}),
        ("1", {"<PrivateRoute>"}),
        ("2", {"<PrivateRoute>", "<PrivateRouteB>"}),
    ):
        stack = Stack(transformed, BUCKET | {"NatGateways": gateways})
        [ledger] = stack.resources("Custom::Ledger").values()
        rules = {"<FunctionToDatabase>", "<BrokerClientToBroker>"}
        assert set(ledger["Network"][1:]) == ways | rules


@pytest.mark.parametrize("parameters", [{"NatGateways": "1"}, {"NatGateways": "2"}, {"VpcId": "v"}])
def test_elsewhere_no_endpoint_is_paid_for(
    transformed: dict[str, Any], parameters: dict[str, str]
) -> None:
    stack = Stack(transformed, BUCKET | parameters)
    made = stack.resources("AWS::EC2::VPCEndpoint").values()
    assert not [e for e in made if e["VpcEndpointType"] == "Interface"]


def test_data_and_keys_outlive_the_stack(transformed: dict[str, Any]) -> None:
    """A deletion policy knows no conditions: it holds for both profiles."""
    policies = {
        name: (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy"))
        for name, resource in transformed["Resources"].items()
        if resource["Type"] != "AWS::Lambda::Version"
    }
    kept = {
        name: policy
        for name, policy in policies.items()
        if policy[0] in {"RetainExceptOnCreate", "Snapshot"}
    }
    assert kept == {
        "Database": ("Snapshot", "Snapshot"),
        "StorageFileSystem": ("RetainExceptOnCreate", "Retain"),
        "SigningKeysSecret": ("RetainExceptOnCreate", "Retain"),
        "AdminSecret": ("RetainExceptOnCreate", "Retain"),
        "CallbackSecret": ("RetainExceptOnCreate", "Retain"),
    }
    holding = {
        "AWS::SecretsManager::Secret",
        "AWS::RDS::DBInstance",
        "AWS::EFS::FileSystem",
        "AWS::SQS::Queue",
        "AWS::Logs::LogGroup",
    }
    decided = {n for n, r in transformed["Resources"].items() if r["Type"] in holding}
    assert all(policies[name][0] and policies[name][1] for name in decided)


def test_the_page_compares_the_profiles_as_they_are() -> None:
    page = (ROOT / "docs" / "deploy.md").read_text()
    [table] = re.findall(r"\| \| `production` \| `trial` \| parameter \|\n.*?\n\n", page, re.DOTALL)
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:] if line
    ]
    assert {name for *_, cell in rows for name in re.findall(r"`(\w+)`", cell)} == set(PRODUCTION)
    for column, profile in ((1, PRODUCTION), (2, TRIAL)):
        text = " | ".join(row[column] for row in rows)
        assert profile["DatabaseInstanceClass"] in text
        assert profile["BrokerInstanceType"] in text
        assert profile["DatabaseBackupDays"] in text
    # Two of the large ones and their disks, three nodes, two gateways; and one of each small one.
    production = 730 * (2 * 0.186 + 3 * 0.26 + 2 * 0.053) + 2 * 20 * 0.127
    trial = 730 * (0.035 + 0.13 + 0.053) + 20 * 0.127
    assert [row[1:3] for row in rows if "idle" in row[0]] == [
        [f"{production:.0f} dollars", f"{trial:.0f} dollars"]
    ]
    mapping, sqs = 730 * 6 * 0.011, 730 * 4 * 0.011
    without = f"{mapping:.0f} or {sqs:.0f} a month instead of the {730 * 2 * 0.053:.0f}"
    assert without in page
