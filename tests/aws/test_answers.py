"""Recorded requests, three ways through the functions, the same bytes each time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from local.servers.memcached import MemcachedServer
from tests.aws.browser import Browser
from tests.aws.conftest import PASSWORD, Deployment
from tests.aws.exchange import sync
from tests.aws.ways import directly, through_the_packages, through_the_shim
from tests.helpers.paths import EVENTS, ROOT
from tests.helpers.servers import execute
from tests.helpers.service import KEY

REQUESTS: list[dict[str, Any]] = json.loads((EVENTS / "requests.json").read_text())
OFF = {"RATE_LIMIT_POST": "off", "RATE_LIMIT_UNSIGNED": "off", "RATE_LIMIT_GET": "off"}
"""Counts on all ways are those of the requests before, never of time or of limits."""

PROXY = {"TRUSTED_PROXIES": "127.0.0.1"}
"""Every peer is a trusted proxy."""

PICTURE = bytes(range(256)) * 300
"""0 to 255 and again: no text in any encoding that the platform would pass through."""


@pytest.fixture
def environment(migrated: Deployment, memcached_server: MemcachedServer) -> dict[str, str]:
    """What a local process is told, the same servers as the sandboxes use."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": str(migrated.folder),
        "SECRET_KEY": KEY,
        "DATABASE_URL": migrated.database_url,
        "RABBITMQ_URL": migrated.rabbitmq_url,
        "MEMCACHED_URL": memcached_server.address,
        "STORAGE_PATH": str(migrated.storage),
        "LOCAL_RUN": "1",
        "ADMIN_PASSWORD_HASH": migrated.admin["password_hash"],
        "ADMIN_SESSION_KEY": migrated.admin["session_key"],
        "ENVIRONMENT_NAME": "under-test",  # as the stack
        **OFF,
        **PROXY,
    }


def three_ways(
    requests: Sequence[dict[str, Any]],
    deployment: Deployment,
    environment: dict[str, str],
    anew: Callable[[], None],
    **changes: str,
) -> None:
    """Send the requests each way and compare what comes back, ids included.

    Args:
        requests: the requests.
        deployment: the packages.
        environment: of a local process.
        anew: takes back what the requests changed.
        changes: variables that all ways have beside the template's.
    """
    requests = [
        request | {"headers": request["headers"] | {"x-request-id": f"request-{number}"}}
        for number, request in enumerate(requests)
    ]
    environment = environment | changes
    shim = through_the_shim(requests, environment, deployment.folder)
    anew()
    packages = through_the_packages(requests, deployment, OFF | PROXY | changes)
    anew()
    direct = directly(requests, environment, deployment.folder)
    for request, *answers in zip(requests, shim, packages, direct, strict=True):
        assert answers[0] == answers[1] == answers[2], request["name"]
        assert answers[0].status == request["status"], (request["name"], answers[0])


def test_shim_packages_and_handlers_answer_byte_for_byte_alike(
    migrated: Deployment, environment: dict[str, str]
) -> None:
    def anew() -> None:
        execute(migrated.database_url, "TRUNCATE file_sync RESTART IDENTITY CASCADE")

    three_ways(REQUESTS, migrated, environment, anew)


def test_the_admins_files_and_cookies_are_alike_too(
    migrated: Deployment, environment: dict[str, str]
) -> None:
    sync(migrated, "a picture é.jpg", PICTURE)
    browser = Browser(migrated.sandbox("AdminFunction"))
    assert browser.submit("/admin/login/", user="root", password=PASSWORD).status == 303
    media = "/media/a picture é.jpg"
    whole = browser.get(media)
    assert whole.body == PICTURE
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    csrf = browser.csrf("/admin/")

    def asked(
        name: str, status: int, path: str, method: str = "GET", body: str = "", **headers: str
    ) -> dict[str, Any]:
        named = {k.replace("_", "-"): v for k, v in headers.items()}
        # As nginx forwards it: TLS ends before the local server, too.
        named |= {"cookie": f"theme=dark; {cookies}", "x-forwarded-proto": "https"}
        return {
            "name": name,
            "status": status,
            "method": method,
            "path": path,
            "query": "",
            "headers": named,
            "body": body,
        }

    form = {"content_type": "application/x-www-form-urlencoded"}
    stranger = asked("a stranger's file", 401, media)
    visitor = asked("a visitor's file", 303, media, accept="text/html")
    for request in (stranger, visitor):
        request["headers"]["cookie"] = "theme=dark"
    requests = [
        stranger,
        visitor,
        asked("binary", 200, media),
        asked("its head", 200, media, "HEAD"),
        asked("a part of it", 206, media, range="bytes=250-259"),
        asked("its end", 206, media, range="bytes=-1"),
        asked("past its end", 416, media, range="bytes=999999-"),
        asked("unchanged", 304, media, if_none_match=dict(whole.headers)["etag"]),
        asked("not to be written", 405, media, "PUT", body="x", content_type="image/jpeg"),
        asked("style", 200, "/admin/static/admin.css"),
        asked("icon", 200, "/admin/static/icon.svg"),
        asked("head of the icon", 200, "/admin/static/icon.svg", "HEAD"),
        asked("no such asset", 404, "/admin/static/none"),
        asked("to the front page", 303, "/admin"),
        asked("a form of another", 403, "/admin/logout/", "POST", body="csrf=x", **form),
        asked("a cookie back", 303, "/admin/logout/", "POST", body=f"csrf={csrf}", **form),
    ]

    def anew() -> None:
        # The last request ended the session that the other ways are to come with.
        execute(migrated.database_url, "TRUNCATE admin_logout")

    three_ways(requests, migrated, environment, anew)


SECRET = "the secret of a store"
PATH = "/events/s3/"


def test_what_a_store_is_answered_is_alike_too(
    migrated: Deployment, environment: dict[str, str]
) -> None:
    def asked(
        name: str,
        status: int,
        body: str,
        *,
        method: str = "POST",
        path: str = PATH,
        key: str = SECRET,
    ) -> dict[str, Any]:
        return {
            "name": name,
            "status": status,
            "method": method,
            "path": path,
            "query": "",
            "headers": {"authorization": f"Bearer {key}", "content-type": "application/json"},
            "body": body,
        }

    told = (EVENTS / "s3/put.json").read_text()
    requests = [
        asked("an object", 200, told),
        asked("the same again, without the slash", 200, told, path="/events/s3"),
        asked("what no one can read", 400, "{"),
        asked("nothing", 200, ""),
        asked("too much", 413, "x" * 1_100_000),
        asked("a stranger", 401, told, key="another secret"),
        asked("not to be read", 404, "", method="GET"),
        asked("elsewhere below", 404, told, path="/events/s3/elsewhere"),
    ]

    def anew() -> None:
        execute(migrated.database_url, "TRUNCATE file_sync RESTART IDENTITY CASCADE")

    bucket = json.loads(told)["Records"][0]["s3"]["bucket"]["name"]
    three_ways(
        requests,
        migrated,
        environment,
        anew,
        S3_EVENTS_SECRET=SECRET,
        AWS_S3_BUCKET_NAME=bucket,
    )


def test_without_its_secret_there_is_no_such_path_on_any_way(
    migrated: Deployment, environment: dict[str, str]
) -> None:
    request = {"method": "POST", "path": PATH, "query": "", "headers": {}, "body": "{}"}
    three_ways([request | {"name": "events", "status": 404}], migrated, environment, lambda: None)
