"""`make deploy` and what follows it, against moto: what it asks, deploys and shows."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from shared.passwords import verify
from tests.aws.conftest import CREDENTIALS, PASSWORD, REGION, Deployment
from tests.aws.exchange import http_event
from tests.aws.runtime_api import FunctionError
from tests.helpers.paths import ROOT
from tests.helpers.servers import free_port
from tests.helpers.service import KEY


class Account:
    """An account on moto, and the commands of a person who works with it.

    Args:
        endpoint: of moto.
        folder: for the stack's parameters.
    """

    def __init__(self, endpoint: str, folder: Path) -> None:
        self.stack = f"under-test-{uuid.uuid4().hex[:8]}"
        self.parameters = folder / "stacks" / f"{self.stack}.yaml"
        self.formation = boto3.client(
            "cloudformation", REGION, endpoint_url=endpoint, **CREDENTIALS
        )
        self.environment = os.environ | {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def make(
        self, target: str, packages: str, typed: str = "", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        given = {
            "STACK": self.stack,
            "PACKAGES": packages,
            "PARAMETERS": str(self.parameters),
            "AWS_TOOLS": os.environ["AWS_TOOLS"],
            **variables,
        }
        return subprocess.run(
            # The packages and the virtual environment are there already.
            [
                "make",
                "--no-print-directory",
                target,
                "--assume-old=package",
                *(f"{k}={v}" for k, v in given.items()),
            ],
            cwd=ROOT,
            input=typed,
            capture_output=True,
            text=True,
            check=False,
            env=self.environment,
            timeout=300,
        )

    def deployed(self) -> dict[str, str]:
        """Return the parameters of the stack, but for its list, of which moto makes Python's."""
        [stack] = self.formation.describe_stacks(StackName=self.stack)["Stacks"]
        found = {p["ParameterKey"]: p["ParameterValue"] for p in stack["Parameters"]}
        del found["SubnetIds"]
        return found


@pytest.fixture
def account(aws_endpoint: str, tmp_path: Path) -> Account:
    return Account(aws_endpoint, tmp_path)


@pytest.fixture
def packages(transformed: dict[str, Any], tmp_path: Path) -> str:
    """The template's parameters, and nothing that would have to be sent to AWS."""
    template = {
        "Parameters": transformed["Parameters"],
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
    }
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / "template.yaml").write_text(json.dumps(template))
    return str(folder)


def test_a_deployment_passes_the_parameters_of_the_file_and_asks_for_none(
    account: Account, packages: str, transformed: dict[str, Any], tmp_path: Path
) -> None:
    # moto neither makes the stack whose bucket `sam deploy` uses, nor reads templates from one.
    config = tmp_path / "samconfig.toml"
    config.write_text((ROOT / "samconfig.toml").read_text().replace("resolve_s3 = true", ""))
    given = {"SourceBucketName": "client-bucket", "Queue": "sqs", "WorkerConcurrency": 9}
    account.parameters.parent.mkdir()
    account.parameters.write_text(yaml.safe_dump(given))
    ended = account.make("deploy", packages, "y\n", SAM_CONFIG=str(config), ARCHITECTURE="x86_64")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    defaults = {
        name: str(about["Default"])
        for name, about in transformed["Parameters"].items()
        if "Default" in about and name != "SubnetIds"
    }
    changed = {"WorkerConcurrency": "9", "Architecture": "x86_64"}
    assert account.deployed() == defaults | given | changed


def test_the_first_deployment_asks_for_two_parameters_and_nothing_about_routes(
    account: Account,
) -> None:
    account.environment["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{free_port()}"
    account.environment["AWS_MAX_ATTEMPTS"] = "1"
    ended = account.make("deploy", os.environ["AWS_PACKAGES"], "client-bucket\nops@example.org\n")
    assert ended.returncode != 0
    assert "Could not connect" in ended.stderr, ended.stdout + ended.stderr
    assert "authentication" not in ended.stdout
    assert yaml.safe_load(account.parameters.read_text()) == {
        "SourceBucketName": "client-bucket",
        "AlarmEmail": "ops@example.org",
    }


@pytest.fixture
def running(account: Account, deployment: Deployment) -> Account:
    """An account with the stack's outputs, as far as they matter here."""
    secrets = {name: deployment.stack.resolve({"Ref": name}) for name in SECRETS}
    outputs = {"ApiUrl": "https://api.test"} | {f"{n}Arn": arn for n, arn in secrets.items()}
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    account.formation.create_stack(StackName=account.stack, TemplateBody=json.dumps(template))
    return account


SECRETS = ("SigningKeysSecret", "AdminSecret")


def test_the_key_and_the_addresses_of_a_stack_are_shown(
    running: Account, deployment: Deployment
) -> None:
    deployment.put_secret("AdminSecret", json.dumps(deployment.admin | {"password_hash": ""}))
    shown = running.make("show-aws", "none")
    assert shown.returncode == 0, shown.stderr
    not_set = f"not set yet: make admin-password-aws STACK={running.stack}"
    assert shown.stdout.splitlines() == [
        "Requests     https://api.test/sync/",
        f"Signing key  {KEY}",
        f"Admin        https://api.test/admin/, user root, password {not_set}",
    ]


def test_a_stack_that_is_not_there_is_one_line(account: Account) -> None:
    shown = account.make("show-aws", "none")
    assert "Traceback" not in shown.stderr
    assert f"Stack with id {account.stack} does not exist" in shown.stderr


def test_the_admins_password_is_set_without_another_deployment(
    running: Account, deployment: Deployment
) -> None:
    deployment.put_secret("AdminSecret", json.dumps(deployment.admin | {"password_hash": ""}))
    admin = deployment.sandbox("AdminFunction")
    event = http_event("GET", "/admin/login/")
    with pytest.raises(FunctionError):
        admin.invoke(event)
    ended = running.make("admin-password-aws", "none", PASSWORD + "\n")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == ["Log in at https://api.test/admin/ as root"]
    assert admin.invoke(event)["statusCode"] == 200
    fields = deployment.secret("AdminSecret")
    assert verify(PASSWORD, fields["password_hash"])
    assert fields["session_key"] == deployment.admin["session_key"]
    again = running.make("admin-password-aws", "none", PASSWORD + "\n")
    assert "within five minutes" in again.stdout


def test_a_password_that_the_admin_would_refuse_is_not_set(
    running: Account, deployment: Deployment
) -> None:
    before = deployment.secret("AdminSecret")
    ended = running.make("admin-password-aws", "none", "short\n")
    assert ended.returncode != 0
    assert "At least 8 characters" in ended.stderr
    assert deployment.secret("AdminSecret") == before
