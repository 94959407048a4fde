"""Secrets that are rotated while sandboxes live: no deployment, no outage."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.http.signing import sign
from shared.passwords import hash_password
from tests.aws.browser import Browser
from tests.aws.conftest import Deployment
from tests.aws.exchange import body_of, http_event, waiting
from tests.aws.runtime_api import FunctionError
from tests.aws.sandbox import Sandbox
from tests.helpers.service import KEY
from tests.helpers.tcp_proxy import TcpProxy

NEW = "another key of the client, long enough"


def post(ingest: Sandbox, name: str, key: str = KEY) -> int:
    body = body_of(name)
    headers = {"content-type": "application/json", "authorization": sign(key.encode(), body)}
    answer: dict[str, Any] = ingest.invoke(http_event("POST", "/sync/", body, headers))
    return int(answer["statusCode"])


def test_a_new_signing_key_is_accepted_at_once_and_the_old_one_no_longer(
    migrated: Deployment,
) -> None:
    ingest = migrated.sandbox("IngestFunction")
    assert post(ingest, "1.jpg") == 201
    migrated.put_secret("SigningKeysSecret", json.dumps({"current": NEW, "previous": KEY}))
    assert [post(ingest, "2.jpg", NEW), post(ingest, "3.jpg", KEY)] == [201, 201]
    other = migrated.sandbox("IngestFunction")
    assert post(other, "4.jpg", KEY) == 201
    migrated.put_secret("SigningKeysSecret", json.dumps({"current": NEW, "previous": ""}))
    assert post(other, "5.jpg", "of a stranger, but as long") == 401  # has it read again
    assert [post(other, "6.jpg", KEY), post(other, "7.jpg", NEW)] == [401, 201]


def test_an_unusable_new_secret_changes_nothing(migrated: Deployment) -> None:
    ingest = migrated.sandbox("IngestFunction")
    assert post(ingest, "1.jpg") == 201
    migrated.put_secret("SigningKeysSecret", json.dumps({"current": "short", "previous": ""}))
    assert post(ingest, "2.jpg", "short") == 401
    assert post(ingest, "3.jpg") == 201
    assert "secrets not renewed, the old ones stay in use" in ingest.written()


def test_a_new_url_of_the_broker_is_read_after_the_old_one_failed(migrated: Deployment) -> None:
    url = migrated.new_secret(migrated.broker.url)
    given = {"RABBITMQ_URL": "", "RABBITMQ_USER_ARN": "", "RABBITMQ_PASSWORD_ARN": ""}
    ingest = migrated.sandbox("IngestFunction", RABBITMQ_URL_ARN=url, **given)
    assert post(ingest, "before.jpg") == 201
    assert len(waiting(migrated.rabbitmq_url, within=10)) == 1
    with TcpProxy(migrated.rabbitmq_url) as another:
        migrated.change_secret(url, another.url)
        migrated.broker.refuse()
        assert [post(ingest, "lost.jpg"), post(ingest, "sent.jpg")] == [201, 201]
        assert len(waiting(migrated.rabbitmq_url, within=10)) == 1
        assert "message lost" in ingest.written()


def test_a_new_url_of_the_database_is_read_after_the_old_one_failed(migrated: Deployment) -> None:
    gone = migrated.database_url.rpartition("/")[0] + "/no_such_database"
    url = migrated.new_secret(gone)
    ingest = migrated.sandbox("IngestFunction", DATABASE_URL="", DATABASE_URL_ARN=url)
    assert post(ingest, "1.jpg") == 503
    migrated.change_secret(url, migrated.database_url)
    assert post(ingest, "1.jpg") == 201


def test_a_new_password_of_the_broker_is_read_after_the_old_one_was_refused(
    migrated: Deployment,
) -> None:
    right = migrated.secret("BrokerCredentialsSecret")
    migrated.put_secret("BrokerCredentialsSecret", json.dumps(right | {"password": "no longer"}))
    ingest = migrated.sandbox("IngestFunction")
    assert post(ingest, "lost.jpg") == 201
    migrated.put_secret("BrokerCredentialsSecret", json.dumps(right))
    assert post(ingest, "sent.jpg") == 201
    assert len(waiting(migrated.rabbitmq_url, within=10)) == 1


def test_the_admin_reads_a_password_that_is_set_later_and_one_that_is_changed(
    migrated: Deployment,
) -> None:
    migrated.put_secret("AdminSecret", json.dumps(migrated.admin | {"password_hash": ""}))
    admin = migrated.sandbox("AdminFunction")
    with pytest.raises(FunctionError, match="ADMIN_PASSWORD"):
        admin.invoke(http_event("GET", "/admin/login/"))
    first = migrated.admin | {"password_hash": hash_password("the first one")}
    migrated.put_secret("AdminSecret", json.dumps(first))
    browser = Browser(admin)
    assert browser.submit("/admin/login/", user="root", password="the first one").status == 303
    changed = migrated.admin | {"password_hash": hash_password("the second one")}
    migrated.put_secret("AdminSecret", json.dumps(changed))
    other = Browser(migrated.sandbox("AdminFunction"))
    assert other.submit("/admin/login/", user="root", password="the second one").status == 303
