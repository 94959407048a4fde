"""Bringing trouble to order by clicks alone; docs/operations.md has the steps."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import WAIT_SECONDS, log_in
from tests.browser.steps import LIST, put, until
from tests.helpers.servers import execute, free_port, query
from tests.helpers.service import Service

MOST_SECONDS = 120
"""For all clicks and what they wait for."""

REASONS = (
    "The object does not exist: 404 NoSuchKey",
    "The object store refuses access: s3:GetObject is not granted (403 AccessDenied)",
    "The path is taken by something that is not a regular file: it is a folder",
)
NUMBERS = (341, 340, 340)
STORED, DAMAGED = 40, 30
CONTENT = b"whole"


@pytest.fixture
def troubled(chromium: Browser, tmp_path: Path, database_url: str) -> Iterator[tuple[Service, str]]:
    """A service whose causes are fixed by now, and the URL of its S3."""
    del chromium  # without it there is nothing to start a service for
    s3_port = str(free_port())
    variables = {
        "S3_PORT": s3_port,
        "DATABASE_URL": database_url,
        "SCHEDULE_SECONDS": "0.3",
        "MISSING_OBJECT_SECONDS": "0",
        "RATE_LIMIT_LOGIN": "off",
    }
    service = Service(tmp_path, free_port(), variables)
    service.start()
    yield service, f"http://127.0.0.1:{s3_port}"
    assert service.stop() == 0, service.log


def break_it(service: Service, url: str, s3_url: str) -> None:
    """Let 1,021 objects fail for three reasons, and damage 30 of 40 stored files."""
    names = [f"stored/{number:02}.txt" for number in range(STORED)]
    folder = service.storage / "stored"
    folder.mkdir()
    for number, name in enumerate(names):
        content = CONTENT[::-1] if number < DAMAGED else CONTENT
        (service.storage / name).write_bytes(content)
    owner = service.storage.stat()
    for path in (folder, *folder.iterdir()):
        os.chown(path, owner.st_uid, owner.st_gid)  # which the worker runs as
    execute(
        url,
        "INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id,"
        " state, attempts, synced_at, file_path, size_bytes, sha256) SELECT 'o', 'r', name,"
        " 'text/plain', sha256(name::bytea), 'r', 'synced', 1, now(), name,"
        f" {len(CONTENT)}, sha256('{CONTENT.decode()}') FROM unnest(ARRAY{names}) AS name",
    )
    for cause, (reason, number) in enumerate(zip(REASONS, NUMBERS, strict=True)):
        execute(
            url,
            "INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum,"
            " request_id, state, attempts, last_error, failed_at) SELECT 'o', 'r', name,"
            f" 'text/plain', sha256(name::bytea), 'r', 'failed', 1, '{reason}', now()"
            f" FROM generate_series(1, {number}) AS i, concat('cause-{cause}/', i, '.txt') AS name",
        )
        names += [f"cause-{cause}/{i}.txt" for i in range(1, number + 1)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: put(s3_url, name, CONTENT, "text/plain"), names))


def count(url: str, where: str) -> int:
    ((number,),) = query(
        url,
        f"SELECT count(*) FROM file_sync LEFT JOIN verification ON file_sync_id = id WHERE {where}",
    )
    return int(number)


def main_menu(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Main").get_by_role("link", name=name).click()


def answer_yes(page: Page) -> None:
    page.locator("main form button.main").click()
    expect(page.get_by_role("status")).to_be_visible()


def test_failures_and_damage_are_brought_to_order_in_two_minutes(
    chromium: Browser, troubled: tuple[Service, str], database_url: str
) -> None:
    service, s3_url = troubled
    break_it(service, database_url, s3_url)
    context = chromium.new_context(base_url=f"http://127.0.0.1:{service.port}")
    context.set_default_timeout(WAIT_SECONDS * 1000)
    page = context.new_page()
    log_in(page)
    begun = time.monotonic()

    # The failures: two causes are fixed, and the third needs no fixing.
    for reason, action, number in zip(
        REASONS, ("Retry all", "Dismiss all", "Retry all"), NUMBERS, strict=True
    ):
        main_menu(page, "Failures")
        page.get_by_role("link", name=f"{action}: {reason.partition(':')[0]}").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text(f"{number} objects?")
        assert Axe().run(page).violations_count == 0
        answer_yes(page)
        expect(page.get_by_role("status")).to_contain_text(f"{number} objects")

    # The files: all of a folder are verified, and what is damaged is fetched again.
    main_menu(page, "Files")
    page.get_by_label("Search").fill("STORED/")
    page.keyboard.press("Enter")
    page.get_by_label(f"Select all {STORED} that match").check()
    page.get_by_role("button", name="Verify").click()
    answer_yes(page)
    expect(page.get_by_role("status")).to_contain_text(f"{DAMAGED} damaged")
    assert Axe().run(page).violations_count == 0
    page.reload()
    expect(page.get_by_role("status")).to_contain_text(f"{DAMAGED} damaged")
    page.get_by_role("link", name=f"Fetch {DAMAGED} again").click()
    answer_yes(page)
    status = page.get_by_role("status")
    expect(status).to_contain_text(f"{DAMAGED} objects queued to be fetched again")
    # The page follows the work by itself.
    expect(status.get_by_role("listitem").filter(has_text="synced").first).to_contain_text(
        str(DAMAGED)
    )
    until(lambda: count(database_url, "state = 'queued'") == 0)
    assert time.monotonic() - begun < MOST_SECONDS
    main_menu(page, "Failures")
    expect(page.get_by_text("No failures")).to_be_visible()

    assert count(database_url, "state = 'synced'") == STORED + NUMBERS[0] + NUMBERS[2]
    assert count(database_url, "state = 'dismissed'") == NUMBERS[1]
    for number in range(STORED):
        assert (service.storage / f"stored/{number:02}.txt").read_bytes() == CONTENT
    page.goto("/admin/actions/")
    expect(page.get_by_role("row")).to_have_count(6)
    context.close()


def test_the_list_answers_to_keys(
    chromium: Browser, troubled: tuple[Service, str], database_url: str
) -> None:
    service, s3_url = troubled
    break_it(service, database_url, s3_url)
    context = chromium.new_context(base_url=f"http://127.0.0.1:{service.port}")
    page = context.new_page()
    log_in(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Dashboard")
    page.goto(f"{LIST}?state=failed")
    page.keyboard.press("j")
    page.keyboard.press("x")
    for _ in range(3):
        page.keyboard.press("j")
    page.keyboard.press("Shift+X")
    expect(page.locator("#selected")).to_have_text("4 selected")
    boxes = page.locator("tbody input[name=id]")
    boxes.nth(10).click()
    boxes.nth(14).click(modifiers=["Shift"])
    expect(page.locator("#selected")).to_have_text("9 selected")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert Axe().run(page).violations_count == 0
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    page.keyboard.type("cause-2/1")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"q=cause-2%2F1$"))
    row = page.locator("tbody tr").first
    assert (row.bounding_box() or {"height": 0})["height"] in range(36, 41)
    # Times are relative, and exact on hover.
    expect(row.locator("time").first).to_have_text(re.compile(r"(now|ago)"))
    assert row.locator("time").first.get_attribute("title")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("cause-2/1")
    page.get_by_role("navigation", name="Path").get_by_role("link", name="Files").click()
    expect(page.get_by_label("Search")).to_have_value("cause-2/1")
    context.close()
