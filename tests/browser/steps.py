"""Steps that many browser tests take."""

from __future__ import annotations

from functools import partial

import boto3
from playwright.sync_api import Page, expect

from local.environment import BUCKET
from local.servers.s3 import S3_LOGIN
from tests.browser.conftest import WAIT_SECONDS
from tests.helpers.service import Service, payload
from tests.helpers.waiting import until as until_in_time

LIST = "/admin/sync/filesync/"

until = partial(until_in_time, seconds=WAIT_SECONDS)


def put(s3_url: str, key: str, content: bytes, file_type: str) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=s3_url,
        region_name="us-east-1",
        aws_access_key_id=S3_LOGIN["AWS_S3_ACCESS_KEY_ID"],
        aws_secret_access_key=S3_LOGIN["AWS_S3_SECRET_ACCESS_KEY"],
    )
    client.put_object(Bucket=BUCKET, Key=key, Body=content, ContentType=file_type)


def sync(service: Service, name: str, file_type: str = "image/jpeg") -> None:
    assert service.post(payload(name, file_type)).status == 201
    until((service.storage / name).is_file)
    until(lambda: waiting(service) == 0)  # the ledger follows the file


def waiting(service: Service) -> int:
    """Return the number of objects that are neither synced nor failed."""
    counts = service.get("/sync/?detail=1").document
    found: int = counts["queued_objects_count"] - counts["failed_objects_count"]
    return found


def open_object(page: Page, name: str, state: str = "synced") -> None:
    def shown() -> bool:
        page.goto(LIST)
        page.get_by_label("Search").fill(name)
        page.get_by_role("button", name="Apply").click()
        return rows.count() > 0

    rows = page.locator("tbody tr").filter(has_text=name.rpartition("/")[2])
    rows = rows.filter(has_text=state)
    until(shown)
    rows.first.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
