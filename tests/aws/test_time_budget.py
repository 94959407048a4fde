"""Servers that are slow or silent: a function answers within its time and its sandbox lives on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from tests.aws.browser import Browser
from tests.aws.conftest import PASSWORD, Deployment
from tests.aws.exchange import body_of, http_event, signed
from tests.aws.sandbox import Sandbox
from tests.helpers.servers import connect
from tests.helpers.tcp_proxy import Condition, TcpProxy
from tests.helpers.waiting import until

SECONDS = 6.0
"""Less than the template gives, and less than all waits could take one after another."""

LOCK = "LOCK TABLE file_sync IN ACCESS EXCLUSIVE MODE"


class Servers:
    """What a function talks to, each through a proxy; `variables` lead there."""

    def __init__(self, deployment: Deployment, stack: ExitStack) -> None:
        environment = deployment.environment("IngestFunction")
        urls = {
            "database": deployment.database_url,
            "broker": deployment.rabbitmq_url,
            "secrets": environment["AWS_ENDPOINT_URL_SECRETS_MANAGER"],
        }
        self.proxies = {n: stack.enter_context(TcpProxy(url)) for n, url in urls.items()}
        self.variables = {
            "DATABASE_URL_ARN": "",
            "DATABASE_URL": self.proxies["database"].url,
            "RABBITMQ_URL_ARN": "",
            "RABBITMQ_USER_ARN": "",
            "RABBITMQ_PASSWORD_ARN": "",
            "RABBITMQ_URL": self.proxies["broker"].url,
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": self.proxies["secrets"].url,
        }

    def silence(self, names: str) -> None:
        for name in names.split():
            self.proxies[name].set_condition(Condition.SILENT)

    def recover(self) -> None:
        for proxy in self.proxies.values():
            proxy.reset()
            proxy.set_condition(Condition.NORMAL)


@pytest.fixture
def servers(migrated: Deployment) -> Iterator[Servers]:
    with ExitStack() as stack:
        yield Servers(migrated, stack)


def post(ingest: Sandbox, name: str) -> dict[str, Any]:
    body = body_of(name)
    answer: dict[str, Any] = ingest.invoke(
        http_event("POST", "/sync/", body, signed(body)), SECONDS
    )
    return answer


@pytest.mark.parametrize(
    ("silent", "cold", "warm"),
    [
        ("database", 503, 503),
        ("broker", 201, 201),
        ("secrets", 503, 201),
        ("database broker secrets", 503, 503),
    ],
)
@pytest.mark.parametrize("is_warm", [False, True], ids=["cold", "warm"])
def test_ingest_answers_in_time_and_goes_on_after_it(
    migrated: Deployment, servers: Servers, silent: str, cold: int, warm: int, *, is_warm: bool
) -> None:
    ingest = migrated.sandbox("IngestFunction", **servers.variables)
    if is_warm:
        assert post(ingest, "warm.jpg")["statusCode"] == 201
    servers.silence(silent)
    answer = post(ingest, "silent.jpg")
    assert answer["statusCode"] == (warm if is_warm else cold)
    if answer["statusCode"] == 503:
        assert int(answer["headers"]["retry-after"]) > 0
    servers.recover()
    until(lambda: post(ingest, "recovered.jpg")["statusCode"] in (201, 409))


def test_a_statement_that_waits_for_a_lock_is_answered_in_time(
    migrated: Deployment, servers: Servers
) -> None:
    ingest = migrated.sandbox("IngestFunction", **servers.variables)
    assert post(ingest, "first.jpg")["statusCode"] == 201
    with closing(connect(migrated.database_url)) as other:
        other.cursor().execute(LOCK)
        assert post(ingest, "locked.jpg")["statusCode"] == 503
    until(lambda: post(ingest, "recovered.jpg")["statusCode"] in (201, 409))


@pytest.mark.parametrize("silent", ["database", "secrets", "database secrets"])
def test_stats_answers_in_time(migrated: Deployment, servers: Servers, silent: str) -> None:
    variables = dict(servers.variables)
    if "secrets" in silent:  # it has one only where the database is the client's own
        url = migrated.new_secret(variables["DATABASE_URL"])
        variables |= {"DATABASE_URL": "", "DATABASE_URL_ARN": url}
    stats = migrated.sandbox("StatsFunction", **variables)
    servers.silence(silent)
    answer = stats.invoke(http_event("GET", "/sync/"), SECONDS)
    assert answer["statusCode"] == 503
    assert int(answer["headers"]["retry-after"]) > 0
    servers.recover()
    until(lambda: stats.invoke(http_event("GET", "/sync/"), SECONDS)["statusCode"] == 200)


def test_the_admin_answers_in_time(migrated: Deployment, servers: Servers) -> None:
    own = {name: url for name, url in servers.variables.items() if "RABBITMQ" not in name}
    admin = migrated.sandbox("AdminFunction", **own)
    browser = Browser(admin)
    assert browser.submit("/admin/login/", user="root", password=PASSWORD).status == 303
    servers.silence("database secrets")
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    event = http_event("GET", "/admin/", headers={"cookie": cookie})
    assert admin.invoke(event, SECONDS)["statusCode"] == 503
    servers.recover()
    until(lambda: admin.invoke(event, SECONDS)["statusCode"] == 200)
