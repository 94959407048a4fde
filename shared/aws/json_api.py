"""One JSON API of AWS, called with the standard library alone.

For functions that must start fast: see docs/decisions/0039-aws-without-boto3.md.
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from shared.aws.credentials import own_credentials
from shared.aws.signing import signed_headers
from shared.config.settings import environment
from shared.errors import AwsRefused, AwsUnavailable
from shared.proxies import proxy_for

DOMAINS = {"aws-cn": "amazonaws.com.cn"}
"""Of AWS's partitions whose domain is not amazonaws.com (AWS, "AWS service endpoints")."""

IDLE_SECONDS = 10.0
"""A connection that was idle for longer may be dead, most of all after an execution environment was
frozen, and then costs all the time that there is."""


@dataclass(frozen=True, slots=True)
class Service:
    """What AWS's model of a service says about its requests.

    Attributes:
        name: in host names and signatures.
        target: what the header X-Amz-Target has before the action.
        json: version of its JSON protocol.
        endpoint_variable: whose URL replaces AWS's, named as boto3 has it.
    """

    name: str
    target: str
    json: str
    endpoint_variable: str


SECRETS_MANAGER = Service(
    "secretsmanager", "secretsmanager", "1.1", "AWS_ENDPOINT_URL_SECRETS_MANAGER"
)
SQS = Service("sqs", "AmazonSQS", "1.0", "AWS_ENDPOINT_URL_SQS")


class JsonApi:
    """A service in one region, over one connection that is kept.

    Args:
        service: which one.
        region: of the endpoint.
        partition: of AWS, as an ARN names it.
        endpoint: URL of the service, where something names it.
    """

    def __init__(
        self, service: Service, region: str, partition: str = "aws", endpoint: str | None = None
    ) -> None:
        variables = environment()
        given = (
            endpoint
            or variables.get(service.endpoint_variable)
            or variables.get("AWS_ENDPOINT_URL")
        )
        domain = DOMAINS.get(partition, "amazonaws.com")
        self._url = given or f"https://{service.name}.{region}.{domain}/"
        self._service, self._region = service, region
        self._connection: http.client.HTTPConnection | None = None
        self._used_at = 0.0
        self._lock = threading.Lock()

    def __call__(self, action: str, document: Mapping[str, Any], seconds: float) -> Any:
        """Return the answer to an action.

        What fails at once is tried a second time: the kept connection may be closed.

        Args:
            action: such as `SendMessageBatch`.
            document: its parameters.
            seconds: within which AWS must answer.

        Raises:
            AwsRefused: AWS answers with an error.
            AwsUnavailable: AWS does not answer, or there are no credentials.
        """
        body = json.dumps(document).encode()
        with self._lock:
            status, text = self._twice(action, body, time.monotonic() + seconds)
        if status != HTTPStatus.OK:
            raise AwsRefused(_code(text) or str(status))
        return json.loads(text)

    def _twice(self, action: str, body: bytes, deadline: float) -> tuple[int, bytes]:
        while True:
            is_fresh = self._connection is None
            try:
                answer = self._post(action, body, deadline)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if is_fresh or time.monotonic() >= deadline:
                    raise AwsUnavailable(type(error).__name__) from error
                continue
            return answer

    def _post(self, action: str, body: bytes, deadline: float) -> tuple[int, bytes]:
        if time.time() - self._used_at > IDLE_SECONDS:
            self.close()
        left = max(0.001, deadline - time.monotonic())
        # An answer with `Connection: close` has ended the one that was kept.
        if self._connection is None or self._connection.sock is None:
            self._connection = _connection(self._url, left)
            self._connection.connect()
            left = max(0.001, deadline - time.monotonic())
        self._connection.sock.settimeout(left)
        headers = signed_headers(
            own_credentials(),
            self._url,
            {
                "content-type": f"application/x-amz-json-{self._service.json}",
                "x-amz-target": f"{self._service.target}.{action}",
            },
            body,
            service=self._service.name,
            region=self._region,
            now=datetime.now(UTC),
        )
        self._connection.request("POST", urlsplit(self._url).path or "/", body, headers)
        response = self._connection.getresponse()
        text = response.read()
        self._used_at = time.time()
        return response.status, text

    def close(self) -> None:
        """Close the connection, if there is one; safe to repeat."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def _connection(url: str, seconds: float) -> http.client.HTTPConnection:
    """Return a connection to a URL's server, which is not open yet."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "http":  # a stand-in for AWS
        return http.client.HTTPConnection(host, parts.port, timeout=seconds)
    context = ssl.create_default_context(cafile=environment().get("AWS_CA_BUNDLE") or None)
    proxy = urlsplit(proxy_for(url) or "")
    if not proxy.hostname:
        return http.client.HTTPSConnection(host, parts.port, timeout=seconds, context=context)
    connection = http.client.HTTPSConnection(
        proxy.hostname, proxy.port, timeout=seconds, context=context
    )
    connection.set_tunnel(host, parts.port, _proxy_login(proxy))
    return connection


def _proxy_login(proxy: SplitResult) -> dict[str, str]:
    """Return the header with a proxy's login, if its URL has one (RFC 7617)."""
    if proxy.username is None:
        return {}
    login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(login.encode()).decode()}"}


def _code(text: bytes) -> str:
    """Return the error code of an answer (AWS JSON protocol: `__type`, which may have a prefix)."""
    try:
        return str(json.loads(text)["__type"]).rpartition("#")[2]
    except (ValueError, LookupError, TypeError):
        return ""
