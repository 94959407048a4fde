"""The page of callbacks in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from local.discovery import with_servers
from local.environment import LocalEnvironment
from tests.browser.steps import sync
from tests.helpers.servers import execute
from tests.helpers.service import Service

PAGE = "/admin/callbacks/"
GIVEN_UP = """
INSERT INTO callback (file_sync_id, name_key, event, data, state, attempts, last_error)
SELECT f.id, n, 'object.synced',
       json_build_object('file_name', repeat('a-long-folder/', 20) || n || '.jpg'), state, 9,
       'The receiver refuses it: ' || repeat('410', 200)
  FROM (SELECT min(id) AS id FROM file_sync) AS f,
       (VALUES (1, 'undelivered'), (2, 'undelivered'), (3, 'pending')) AS callback(n, state)
"""


@pytest.fixture
def callbacks(service: Service) -> Iterator[None]:
    """Two callbacks that were given up and one that is pending."""
    sync(service, "picture-02.jpg")
    here = LocalEnvironment.load({"DATA_DIR": str(service.folder / "data")}, service.folder)
    url = with_servers(here).given["DATABASE_URL"]
    execute(url, GIVEN_UP)
    yield
    execute(url, "DELETE FROM callback")


@pytest.mark.usefixtures("callbacks")
def test_the_page_is_accessible_and_replays_what_is_selected(page: Page) -> None:
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 740})
        for path in (PAGE, f"{PAGE}?state=pending", "/admin/", "/admin/sync/filesync/1/change/"):
            page.goto(path)
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, path
    page.goto(PAGE)
    expect(page.get_by_role("button", name="Replay selected")).to_be_disabled()
    page.get_by_label("All on this page").check()
    expect(page.get_by_text("2 selected")).to_be_visible()
    page.get_by_label("Select callback").first.uncheck()
    page.get_by_role("button", name="Replay selected").click()
    expect(page.get_by_role("status")).to_contain_text("1 callback is sent again")
    page.get_by_role("button", name="Replay all undelivered").click()
    expect(page.get_by_role("status")).to_contain_text("1 callback is sent again")
    expect(page.get_by_role("link", name="Pending 3")).to_be_visible()
