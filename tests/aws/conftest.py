"""What `make test-aws` hands to the tests here: built packages, a runtime, and SAM's own tools.

Without them the tests that need them are left out; `make test` runs the rest.
"""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
import pytest

from shared.passwords import hash_password
from tests.aws.sandbox import Sandbox
from tests.aws.stack import Stack
from tests.helpers.paths import ROOT
from tests.helpers.service import KEY
from tests.helpers.sqs import SqsQueues
from tests.helpers.tcp_proxy import TcpProxy

NEED_PACKAGES = [
    "test_admin.py",
    "test_answers.py",
    "test_blackbox.py",
    "test_costs.py",
    "test_deploy.py",
    "test_freeze.py",
    "test_functions.py",
    "test_policies.py",
    "test_profiles.py",
    "test_recorded_alarms.py",
    "test_rotation.py",
    "test_sqs.py",
    "test_template.py",
    "test_time_budget.py",
]
collect_ignore = [] if os.environ.get("AWS_PACKAGES") else NEED_PACKAGES


REGION = "eu-west-1"
PASSWORD = "correct horse battery staple"
CREDENTIALS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


def tool(name: str) -> str:
    return str(ROOT / os.environ["AWS_TOOLS"] / name)


@pytest.fixture(scope="session")
def transformed() -> dict[str, Any]:
    """The template as CloudFormation gets it."""
    printed = subprocess.run(
        [tool("python"), str(ROOT / "tests/aws/transform.py"), str(ROOT / "template.yaml")],
        check=True,
        capture_output=True,
        env={"PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": REGION},
        timeout=120,
    )
    document: dict[str, Any] = json.loads(printed.stdout)
    return document


class Deployment:
    """The stack as far as it runs here: its functions, with real servers behind them.

    Attributes:
        folder: everything that is kept.
        storage: the folder that stands for the file system.
        bucket: name of the client's bucket.
        database_url: of the ledger.
        rabbitmq_url: of the broker.
        broker: what the functions' connections to it go through.
        queues: those of Amazon SQS, where they stand for the broker.
        s3: a client of the bucket's server.
        admin: what the admin's secret holds.
    """

    def __init__(
        self,
        transformed: dict[str, Any],
        folder: Path,
        urls: dict[str, str],
        sandboxes: ExitStack,
        parameters: dict[str, str],
    ) -> None:
        self.bucket = f"client-{uuid.uuid4().hex[:12]}"
        self.storage = folder / "storage"
        self.storage.mkdir()
        self.database_url, self.rabbitmq_url = urls["database"], urls["rabbitmq"]
        self.broker = TcpProxy(self.rabbitmq_url)
        sandboxes.callback(self.broker.close)
        self._endpoint = urls["aws"]
        self.queues = SqsQueues(self._endpoint) if parameters.get("Queue") == "sqs" else None
        self.folder = folder
        self._sandboxes = sandboxes
        self.s3 = self._client("s3")
        self.s3.create_bucket(
            Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        broker = urlsplit(self.broker.url)
        self._broker_url = broker._replace(netloc=f"{broker.hostname}:{broker.port}").geturl()
        login = {
            "username": unquote(broker.username or ""),
            "password": unquote(broker.password or ""),
        }
        keys = {"current": KEY, "previous": ""}
        queue_urls = {"SyncQueue": self.queues.url} if self.queues else {}
        self.admin = {"password_hash": hash_password(PASSWORD), "session_key": "any text" * 8}
        self.stack = Stack(
            transformed,
            {"SourceBucketName": self.bucket, **parameters},
            {
                "SigningKeysSecret": self.new_secret(json.dumps(keys)),
                "AdminSecret": self.new_secret(json.dumps(self.admin)),
                "NasaApiKeySecret": self.new_secret("DEMO_KEY"),
                "BrokerCredentialsSecret": self.new_secret(json.dumps(login)),
                **queue_urls,
            },
        )

    def sandbox(self, name: str, **changes: str) -> Sandbox:
        """Start a sandbox of a function.

        Args:
            name: the function's logical id.
            changes: environment variables that differ from the template's.
        """
        function = self.stack.resources("AWS::Lambda::Function")[name]
        return self._sandboxes.enter_context(
            Sandbox(
                ROOT / os.environ["AWS_PACKAGES"] / name,
                ROOT / os.environ["AWS_RUNTIME"],
                function["Handler"],
                self.environment(name) | changes,
                self.folder / f"{name}-{len(list(self.folder.glob('*.log')))}.log",
            )
        )

    def environment(self, name: str) -> dict[str, str]:
        """Return the variables that a function has."""
        function = self.stack.resources("AWS::Lambda::Function")[name]
        environment = {k: str(v) for k, v in function["Environment"]["Variables"].items()}
        if "STORAGE_PATH" in environment:
            environment["STORAGE_PATH"] = str(self.storage)
        # RDS alone takes tokens. Here the functions act as their roles all the same.
        environment |= {
            "DATABASE_URL": self.database_url,
            "DATABASE_AUTH": "password",
            "DATABASE_ROLES": "1",
        }
        if "RABBITMQ_URL" in environment:
            environment["RABBITMQ_URL"] = self._broker_url
        environment["AWS_ENDPOINT_URL_S3"] = self._endpoint
        environment["AWS_ENDPOINT_URL_SECRETS_MANAGER"] = self._endpoint
        return environment

    def put(self, name: str, content: bytes) -> None:
        """Put an object into the client's bucket."""
        self.s3.put_object(Bucket=self.bucket, Key=name, Body=content)

    def file(self, name: str) -> Path:
        """Return the path that an object ends at."""
        return self.storage / name

    def put_secret(self, name: str, text: str) -> None:
        """Change the text of a secret, by its logical id."""
        self.change_secret(self.stack.resolve({"Ref": name}), text)

    def change_secret(self, arn: str, text: str) -> None:
        """Change the text of a secret, by its ARN."""
        self._client("secretsmanager").put_secret_value(SecretId=arn, SecretString=text)

    def secret(self, name: str) -> dict[str, str]:
        """Return the fields of a secret, by its logical id."""
        arn = self.stack.resolve({"Ref": name})
        answer = self._client("secretsmanager").get_secret_value(SecretId=arn)
        fields: dict[str, str] = json.loads(answer["SecretString"])
        return fields

    def new_secret(self, text: str) -> str:
        """Make a secret of the client's own, and return its ARN."""
        answer = self._client("secretsmanager").create_secret(
            Name=f"test-{uuid.uuid4().hex}", SecretString=text
        )
        return str(answer["ARN"])

    def _client(self, service: str) -> Any:
        return boto3.client(service, REGION, endpoint_url=self._endpoint, **CREDENTIALS)


@pytest.fixture
def deployment(
    request: pytest.FixtureRequest,
    transformed: dict[str, Any],
    tmp_path: Path,
    database_url: str,
    rabbitmq_url: str,
    aws_endpoint: str,
) -> Iterator[Deployment]:
    """A stack of the test's own, whose sandboxes end with the test."""
    urls = {
        "database": database_url,
        "rabbitmq": rabbitmq_url,
        "aws": aws_endpoint,
    }
    parameters = getattr(request, "param", {})
    with ExitStack() as sandboxes:
        yield Deployment(transformed, tmp_path, urls, sandboxes, parameters)


@pytest.fixture
def migrated(deployment: Deployment) -> Deployment:
    """The same, with the queues declared by the function that does it on AWS."""
    deployment.sandbox("MigrateFunction").invoke({})
    return deployment
