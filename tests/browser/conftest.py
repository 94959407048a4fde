"""A whole running service with its admin, and a real browser in front of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.helpers.missing import missing
from tests.helpers.servers import free_port
from tests.helpers.service import Service

WAIT_SECONDS = 60
"""A machine that runs all tests at once is slow; otherwise nothing waits for so long."""

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # a container has 64 MB there, too little for several of them
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; `CHROMIUM` names another one."""
    program = shutil.which(os.environ.get("CHROMIUM", "chromium"))
    if program is None:
        missing("chromium")
    expect.set_options(timeout=WAIT_SECONDS * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def running(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, str]]:
    """A running service and the URL of its S3, started once: tests share no objects."""
    del chromium  # without it there is nothing to start a service for
    s3_port = str(free_port())
    variables = {
        "S3_PORT": s3_port,
        "SCHEDULE_SECONDS": "0.3",
        "MISSING_OBJECT_SECONDS": "0",
        "RATE_LIMIT_LOGIN": "off",
    }
    service = Service(tmp_path_factory.mktemp("browser"), free_port(), variables)
    service.start()
    yield service, f"http://127.0.0.1:{s3_port}"
    assert service.stop() == 0, service.log
    assert "Traceback" not in service.log


@pytest.fixture
def base(running: tuple[Service, str]) -> str:
    return f"http://127.0.0.1:{running[0].port}"


@pytest.fixture
def service(running: tuple[Service, str]) -> Service:
    return running[0]


@pytest.fixture
def s3_url(running: tuple[Service, str]) -> str:
    return running[1]


@pytest.fixture
def stranger(chromium: Browser, base: str) -> Iterator[Page]:
    """A page of a browser that is not logged in; errors in its console fail the test."""
    context = chromium.new_context(base_url=base)
    context.set_default_timeout(WAIT_SECONDS * 1000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda message: errors.append(message.text) if "Content Security" in message.text else None,
    )
    yield page
    context.close()
    assert errors == []


@pytest.fixture
def page(stranger: Page) -> Page:
    """A page of a browser that is logged in."""
    log_in(stranger)
    return stranger


def log_in(page: Page, password: str = "admin") -> None:  # the default of a local run
    page.goto("/admin/")
    page.get_by_label("Username").fill("root")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
