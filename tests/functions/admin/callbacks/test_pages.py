"""Callbacks in the admin: nothing shows until there is one, and what is undelivered is replayed."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from functions.admin import wiring
from functions.admin.callbacks import pages
from shared.config.settings import Settings
from shared.ledger.callbacks import CallbackResult, CallbackState
from shared.ledger.database import Database
from shared.ledger.ledger import QUERIES, Ledger
from tests.browser import demo
from tests.functions.admin.test_app import HASH, LIST, Browser
from tests.helpers.servers import execute

PAGE = "/admin/callbacks/"
GIVE_UP = "UPDATE callback SET state = 'undelivered', last_error = 'Refused: <b>410</b>'"


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    ledger = Ledger(Database(database_url, *QUERIES), with_callbacks=True)
    yield ledger
    ledger.close()


@pytest.fixture
def browser(database_url: str, tmp_path: Path) -> Browser:
    variables = {
        "DATABASE_URL": database_url,
        "DATABASE_ROLES": "1",
        "STORAGE_PATH": str(tmp_path),
        "ADMIN_SESSION_KEY": "k" * 32,
        "ADMIN_PASSWORD_HASH": HASH,
        "RATE_LIMIT_LOGIN": "off",
    }
    return Browser(wiring.build(Settings.from_mapping(variables))).log_in()


@pytest.fixture
def failed(ledger: Ledger) -> Callable[[str], int]:
    return lambda name: demo.failed(ledger, name, "The object does not exist")


def text(browser: Browser, path: str) -> str:
    answer = browser.get(path)
    assert answer.status == 200
    return answer.body.decode()


def test_nothing_shows_while_there_is_no_callback(browser: Browser, database_url: str) -> None:
    row_id = demo.failed(Ledger.at(database_url), "a.jpg", "The object does not exist")
    for path in ("/admin/", LIST, f"{LIST}{row_id}/change/"):
        assert "allback" not in text(browser, path)
    assert "All callbacks were delivered or wait" in text(browser, PAGE)


def test_the_dashboard_names_what_is_undelivered_and_a_receiver_that_is_paused(
    browser: Browser, ledger: Ledger, failed: Callable[[str], int], database_url: str
) -> None:
    failed("a.jpg")
    shown = text(browser, "/admin/")
    assert "1 callback is pending</a>, the oldest for " in shown
    assert "undelivered" not in shown
    execute(database_url, GIVE_UP)
    ledger.pauses.open("callback", "<i>refused")
    for path in ("/admin/", "/admin/live/"):
        shown = text(browser, path)
        assert f'<a href="{PAGE}">1 callback is undelivered</a>' in shown
        assert "receiver of callbacks is paused: &lt;i&gt;refused. Callbacks wait" in shown
        assert "The storage of" not in shown


def test_an_object_shows_its_callbacks_and_replays_its_own(
    browser: Browser,
    ledger: Ledger,
    failed: Callable[[str], int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    row_id, other = failed("a.jpg"), failed("b.jpg")
    page = f"{LIST}{row_id}/change/"
    assert "Replay callback" not in text(browser, page)  # it is pending
    ledger.callbacks.settle([CallbackResult(c) for c in ledger.callbacks.claim(9, 60)])
    (callback,), (others,) = ledger.callbacks.of(row_id), ledger.callbacks.of(other)
    shown = text(browser, page)
    assert f'aria-label="Replay callback {callback.id}"' in shown
    assert '<span class="badge delivered">delivered</span>' in shown
    for wrong in (others.id, "x", 10**30):
        answer = browser.post(page, callback=wrong)
        assert b"No callback is sent again" in answer.body
    caplog.clear()  # of those refused, which another test's level may have recorded
    with caplog.at_level(logging.INFO):
        assert b"1 callback is sent again" in browser.post(page, callback=callback.id).body
    states = [ledger.callbacks.of(number)[0].state for number in (row_id, other)]
    assert states == [CallbackState.PENDING, CallbackState.DELIVERED]
    (logged,) = [record for record in caplog.records if record.message == "callbacks replayed"]
    assert vars(logged)["user"] == "root"
    assert vars(logged)["callbacks"] == 1


def test_what_is_undelivered_is_listed_in_pages_and_replayed(
    browser: Browser,
    ledger: Ledger,
    failed: Callable[[str], int],
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pages, "PAGE", 2)
    for name in ("1.jpg", "2.jpg", "3.jpg", "4.jpg"):
        failed(name)
    execute(database_url, GIVE_UP)
    failed("5.jpg")
    first = text(browser, PAGE)
    assert "Refused: &lt;b&gt;410" in first
    assert "<li><span>Refused</span><b>4</b>" in first
    assert re.findall(r">(\d.jpg)<", first) == ["4.jpg", "3.jpg"]
    (link,) = re.findall(r'rel="next" href="([^"]+)"', first)
    second = link.replace("&amp;", "&")
    assert re.findall(r">(\d.jpg)<", text(browser, second)) == ["2.jpg", "1.jpg"]
    assert re.findall(r">(\d.jpg)<", text(browser, f"{PAGE}?state=pending")) == ["5.jpg"]

    assert b"No callback is sent again" in browser.post(PAGE, action="replay").body
    newest, *_ = ledger.callbacks.list(CallbackState.UNDELIVERED, 9)
    assert b"1 callback is sent again" in browser.post(PAGE, action="replay", id=newest.id).body
    assert ledger.callbacks.counts().undelivered == 3
    for fields in ({"action": "replay", "id": "x"}, {"action": "drop"}, {}):
        assert browser.post(PAGE, **fields).status == 403
    assert b"3 callbacks are sent again" in browser.post(PAGE, action="replay_all").body
    assert ledger.callbacks.counts().undelivered == 0


def test_every_field_has_a_label_and_every_column_a_header(
    browser: Browser, failed: Callable[[str], int], database_url: str
) -> None:
    failed("a.jpg")
    execute(database_url, GIVE_UP)
    for path in (PAGE, f"{PAGE}?state=pending"):
        shown = text(browser, path)
        for box in re.findall(r'<input type="checkbox" name="id"[^>]*>', shown):
            assert "aria-label=" in box
        for row in re.findall(r"<tr>.*?</tr>", shown, re.DOTALL)[1:]:
            cells = len(re.findall(r"<t[dh]", row))
            assert cells in {1, len(re.findall(r'<th scope="col"', shown))}
