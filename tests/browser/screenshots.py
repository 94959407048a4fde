"""Take a screenshot of each page of the admin: `python -m tests.browser.screenshots FOLDER`."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Error, Page, sync_playwright

from local.servers.postgres import PostgresServer, embedded_binaries
from shared.ledger.migrate import migrate
from tests.browser import demo
from tests.browser.conftest import FLAGS, log_in
from tests.browser.steps import LIST
from tests.helpers.paths import ROOT
from tests.helpers.servers import free_port

LOOKS = {
    "light": {"viewport": {"width": 1280, "height": 860}},
    "dark": {"viewport": {"width": 1280, "height": 860}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True},
}
COLORS = 200
"""Flat colors and few of them: a third of the bytes, and no difference to be seen. Chosen by how
far apart they are, for the few green and red pixels matter as much as the many grey ones."""

CHOICE = Image.Quantize.MAXCOVERAGE


def main(folder: Path) -> None:
    """Fill a ledger of its own, serve the admin over it, and take the screenshots."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="screenshots-") as kept:
        home = Path(kept)
        postgres = PostgresServer(home / "data", free_port(), embedded_binaries())
        postgres.start()
        try:
            postgres.wait_ready()
            storage = home / "storage"
            storage.mkdir()
            migrate(postgres.url)
            demo.fill(postgres.url, storage)
            demo.age(postgres.url)
            _serve(home, postgres.url, folder)
        finally:
            postgres.stop()


def _serve(home: Path, url: str, folder: Path) -> None:
    port = free_port()
    own = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PORT": str(port),
        "DATA_DIR": str(home / "data"),
        "DATABASE_URL": url,
        "STORAGE_PATH": "storage",  # shows no folder of this machine
        "SECRET_KEY": "screenshots",
        "LOCAL_RUN": "1",
        "RATE_LIMIT_LOGIN": "off",
    }
    serving = subprocess.Popen([sys.executable, "-m", "local", "serve"], cwd=home, env=own)
    try:
        _take(f"http://127.0.0.1:{port}", folder)
    finally:
        serving.terminate()
        serving.wait(30)


def _take(url: str, folder: Path) -> None:
    with sync_playwright() as playwright:
        program = shutil.which(os.environ.get("CHROMIUM", "chromium"))
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        for look in LOOKS:
            _look(browser, url, folder, look)
        browser.close()


def _look(browser: Browser, url: str, folder: Path, look: str) -> None:
    page = browser.new_context(base_url=url, **LOOKS[look]).new_page()  # type: ignore[arg-type]  # mixed values
    _wait(page)
    _save(page, folder / f"admin-login-{look}.png")
    log_in(page)
    page.get_by_role("heading", name="Dashboard").wait_for()
    _save(page, folder / f"admin-dashboard-{look}.png", whole=look != "phone")
    page.goto(LIST)
    page.wait_for_load_state("networkidle")
    if look == "phone":
        page.locator("#rows").evaluate("rows => rows.scrollIntoView()")
        page.wait_for_load_state("networkidle")
    _save(page, folder / f"admin-files-{look}.png")
    for name, search in (("object", "panorama"), ("failed", "lost/holiday")):
        page.goto(f"{LIST}?q={search}")
        page.locator("tbody a").first.click()
        page.wait_for_load_state("networkidle")
        _save(page, folder / f"admin-{name}-{look}.png")
    page.context.close()


def _wait(page: Page) -> None:
    """Open the login page, once the server answers."""
    for _ in range(100):
        try:
            page.goto("/admin/login/")
        except Error as error:  # only the text tells a refused connection
            if "ERR_CONNECTION_REFUSED" not in str(error):
                raise
            page.wait_for_timeout(100)
        else:
            return
    raise RuntimeError("the server did not start")


def _save(page: Page, file: Path, *, whole: bool = False) -> None:
    taken = Image.open(io.BytesIO(page.screenshot(full_page=whole)))
    taken.convert("RGB").quantize(COLORS, CHOICE, dither=Image.Dither.NONE).save(
        file, optimize=True
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
