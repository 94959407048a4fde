"""Every signature is the one that botocore makes of the same request."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

import botocore.auth
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from shared.aws.credentials import Credentials
from shared.aws.signing import presigned_url, signed_headers

NOW = datetime(2026, 11, 29, 11, 5, 9, tzinfo=UTC)
TOKENS = [None, "IQoJ/b3+JpZ2luX2VjE=="]


@pytest.fixture(autouse=True)
def _frozen() -> Iterator[None]:
    with patch.object(botocore.auth, "get_current_datetime", lambda: NOW.replace(tzinfo=None)):
        yield


def keys(token: str | None) -> tuple[Credentials, BotoCredentials]:
    secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    return Credentials("AKIDEXAMPLE", secret, token), BotoCredentials("AKIDEXAMPLE", secret, token)


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize(
    "url", ["https://sqs.eu-west-1.amazonaws.com/", "http://127.0.0.1:4566/", "https://host:8443"]
)
def test_a_post_is_signed_as_botocore_signs_it(url: str, token: str | None) -> None:
    ours, boto = keys(token)
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.Send"}
    body = '{"text": "für"}'.encode()
    request = AWSRequest("POST", url, headers, body)
    SigV4Auth(boto, "sqs", "eu-west-1").add_auth(request)
    signed = signed_headers(ours, url, headers, body, service="sqs", region="eu-west-1", now=NOW)
    assert signed["authorization"] == request.headers["Authorization"]
    assert signed["x-amz-date"] == request.headers["X-Amz-Date"]
    assert signed.get("x-amz-security-token") == token


@pytest.mark.parametrize("token", TOKENS)
def test_a_url_is_signed_as_botocore_signs_it(token: str | None) -> None:
    ours, boto = keys(token)
    url = "https://db.abc.eu-west-1.rds.amazonaws.com:5432/?Action=connect&DBUser=sync_ingest"
    request = AWSRequest("GET", url)
    SigV4QueryAuth(boto, "rds-db", "eu-west-1", expires=900).add_auth(request)
    signed = presigned_url(ours, url, 900, service="rds-db", region="eu-west-1", now=NOW)
    theirs = urlsplit(request.url)
    assert parse_qs(urlsplit(signed).query) == parse_qs(theirs.query)
    assert urlsplit(signed)[:3] == theirs[:3]
