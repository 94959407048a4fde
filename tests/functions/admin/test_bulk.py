from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from functions.admin import wiring
from functions.admin.bulk.results import Fate, fate_of
from functions.admin.bulk.wording import WORDING, criteria
from functions.admin.export.documents import COLUMNS, as_csv
from functions.admin.export.pages import PART_ON_LAMBDA
from shared.config.settings import Settings
from shared.ledger.actions import Action
from shared.ledger.ledger import Ledger
from shared.ledger.rows import State
from shared.ledger.selection import PROBLEMS, Selection, Verification
from tests.browser import demo
from tests.functions.admin.test_app import (
    LIST,
    Browser,
    admin,
    browser,
    ledger,
    storage,
    variables,
)
from tests.helpers.servers import execute

__all__ = ["admin", "browser", "ledger", "storage", "variables"]

MISSING = "The object does not exist: 404 NoSuchKey"
DENIED = "The object store refuses access: 403 AccessDenied"
ACTIONS = "/admin/actions/"


def fields_of(page: str) -> dict[str, str]:
    """Return the hidden fields of the page's last form."""
    form = page[page.rindex("<form") :]
    found = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form)
    return {name: value.replace("&amp;", "&") for name, value in found}


def confirm(browser: Browser, question: str) -> str:
    """Answer yes to a question, and return the page of the action."""
    page = browser.get(question).body.decode()
    fields = fields_of(page)
    answer = browser.post(ACTIONS, fields.pop("csrf"), **fields)
    return browser.follow(answer).body.decode()


def test_an_action_on_all_that_match_is_asked_for_first(browser: Browser, ledger: Ledger) -> None:
    for number in range(60):
        demo.failed(ledger, f"gone-{number}.jpg", MISSING if number % 2 else DENIED)
    where = f"{LIST}?state=failed&reason=The+object+does+not+exist"
    assert b"Select all 30 that match" in browser.get(where).body
    answer = browser.post(where, action="retry", all="1")
    question = answer.headers["location"]
    assert b"Retry 30 objects?" in browser.get(question).body
    assert b"and 25 more" in browser.get(question).body
    assert ledger.counts().failed == 60
    page = confirm(browser, question)
    assert "30 objects queued for retry" in page
    assert (ledger.counts().failed, ledger.counts().queued) == (30, 30)


def test_an_actions_page_is_found_again_with_the_problems_first(
    browser: Browser, ledger: Ledger, storage: Path
) -> None:
    names = [f"file-{number}.jpg" for number in range(8)]
    for name in names:
        demo.synced(ledger, storage, demo.Content(name, "image/jpeg", b"x"))
    (storage / "file-5.jpg").write_bytes(b"y")
    (storage / "file-6.jpg").unlink()
    page = confirm(browser, f"{ACTIONS}new/?do=verify")
    assert "8 objects queued for verification" in page
    kept = browser.get(f"{ACTIONS}1/").body.decode()
    assert kept.index("file-5.jpg") < kept.index("file-6.jpg") < kept.index("file-0.jpg")
    assert kept.index("<details>") < kept.index("file-0.jpg")
    assert "Fetch 2 again" in kept
    for result, number in (("ok", 6), ("damaged", 1), ("missing", 1), ("problem", 2)):
        listed = browser.get(f"{LIST}?verified={result}").body.decode()
        assert f"Select all {number} that match" in listed
    page = confirm(browser, f"{ACTIONS}new/?do=fetch_again&action=1&verified=problem")
    assert "2 objects queued to be fetched again" in page
    log = browser.get(ACTIONS).body.decode()
    assert log.index("Fetch again") < log.index("Verify</a>")


def test_a_dismissal_is_undone(browser: Browser, ledger: Ledger) -> None:
    for name in "abc":
        demo.failed(ledger, name, MISSING)
    confirm(browser, f"{ACTIONS}new/?do=dismiss&state=failed")
    demo.failed(ledger, "d", MISSING)
    confirm(browser, f"{ACTIONS}new/?do=dismiss&q=d")
    assert ledger.counts().dismissed == 4
    page = browser.follow(browser.post(f"{ACTIONS}1/", action="undo")).body
    assert b"3 objects restored" in page
    assert (ledger.counts().failed, ledger.counts().dismissed) == (3, 1)


def test_an_unfinished_action_can_go_on_at_once(browser: Browser, ledger: Ledger) -> None:
    demo.failed(ledger, "a", MISSING)
    action_id = ledger.actions.begin(Action.RETRY, Selection(), "test")
    where = f"{ACTIONS}{action_id}/"
    assert b"Go on now" in browser.get(where).body
    page = browser.follow(browser.post(where, action="go_on")).body
    assert b"Go on now" not in page
    assert ledger.counts().queued == 1


@pytest.mark.parametrize("path", [f"{ACTIONS}7/", f"{ACTIONS}x/", f"{ACTIONS}new/?do=delete"])
def test_an_unknown_action_is_not_found(browser: Browser, path: str) -> None:
    assert browser.get(path).status == 404
    if "new" not in path:
        assert browser.post(path, browser.csrf(LIST), action="go_on").status == 404


def test_what_is_no_action_is_refused(browser: Browser, ledger: Ledger) -> None:
    ledger.actions.begin(Action.RETRY, Selection(), "test")
    csrf = browser.csrf(LIST)
    assert browser.post(ACTIONS, csrf, action="delete", filter="").status == 403
    assert browser.post(f"{ACTIONS}1/", csrf, action="undo").status == 403
    assert b"Nothing selected" in browser.post(LIST, csrf, action="retry").body


def test_failures_are_explained_and_retried_by_reason(browser: Browser, ledger: Ledger) -> None:
    assert b"No failures" in browser.get("/admin/failures/").body
    for number in range(5):
        demo.failed(ledger, f"f-{number}", MISSING if number else DENIED)
    page = browser.get("/admin/failures/").body.decode()
    assert page.index("The object does not exist") < page.index("The object store refuses access")
    assert "S3 has no object of this name" in page
    assert "Grant s3:GetObject" in page
    assert "f-4" in page
    found = re.findall(r'href="([^"]+)" aria-label="Retry all: The object does not exist"', page)
    assert "4 objects queued for retry" in confirm(browser, found[0].replace("&amp;", "&"))


def test_an_export_has_every_object_once(
    browser: Browser, ledger: Ledger, variables: dict[str, str], database_url: str
) -> None:
    demo.failed(ledger, '=HYPERLINK(1),"x"\n', "-1: 'quoted'")
    execute(
        database_url,
        "INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id)"
        f" SELECT 'o', 'r', 'n-' || i, 't/t', sha256(i::text::bytea), 'r'"
        f" FROM generate_series(1, {PART_ON_LAMBDA + 200}) AS i",
    )
    on_lambda = {**variables, "AWS_LAMBDA_FUNCTION_NAME": "admin"}
    small = Browser(wiring.build(Settings.from_mapping(on_lambda))).log_in()
    rows: list[dict[str, str]] = []
    text, url = "", "/admin/export/objects.csv"
    while url:
        answer = small.get(url)
        assert answer.status == 200
        assert len(str(answer.to_event("r"))) < 6 * 1024 * 1024
        text += answer.body.decode()
        url = re.sub(r'<(.+)>; rel="next"', r"\1", answer.headers.get("link", ""))
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [int(row["id"]) for row in rows] == list(range(PART_ON_LAMBDA + 201, 0, -1))
    assert rows[-1]["file_name"] == '\'=HYPERLINK(1),"x"\n'
    assert rows[-1]["last_error"] == "'-1: 'quoted'"
    document = json.loads(browser.get("/admin/export/objects.json?state=failed").body)
    assert document["next"] is None
    (only,) = document["objects"]
    assert only["file_name"] == '=HYPERLINK(1),"x"\n'
    assert set(only) == set(COLUMNS)
    assert browser.get("/admin/export/objects.xml").status == 404


def test_the_parts_of_an_export_meet(browser: Browser, ledger: Ledger) -> None:
    demo.failed(ledger, "a", MISSING)
    page = browser.get("/admin/export/?state=failed").body.decode()
    assert "Export 1 object<" in page
    links = re.findall(r'href="(/admin/export/objects\.csv[^"]*)"', page)
    assert [dict(parse_qsl(urlsplit(link).query)) for link in links] == [{"state": "failed"}]


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\tx", "\rx"])
def test_no_cell_is_a_formula(text: str) -> None:
    row = dict.fromkeys(COLUMNS) | {"file_name": text}
    (cells,) = csv.reader(io.StringIO(as_csv([row], header=False).decode(), newline=""))
    assert cells[COLUMNS.index("file_name")] == f"'{text}"


@pytest.mark.parametrize(
    ("action", "state", "result", "fate"),
    [
        (Action.VERIFY, State.SYNCED, None, Fate.WAITING),
        (Action.VERIFY, State.SYNCED, "ok", Fate.FINE),
        (Action.VERIFY, State.SYNCED, "damaged", Fate.PROBLEM),
        (Action.DISMISS, State.DISMISSED, None, Fate.FINE),
        (Action.RESTORE, State.FAILED, None, Fate.FINE),
        (Action.RETRY, State.SYNCED, None, Fate.FINE),
        (Action.RETRY, State.QUEUED, None, Fate.WAITING),
        (Action.FETCH_AGAIN, State.FAILED, None, Fate.PROBLEM),
    ],
)
def test_how_an_object_stands_after_an_action(
    action: Action, state: State, result: str | None, fate: Fate
) -> None:
    assert fate_of(action, state, result)[1] is fate


def test_every_action_and_criterion_has_words() -> None:
    assert set(WORDING) == set(Action)
    selection = Selection(
        ids=(1,), states=(State.FAILED, State.QUEUED), exact_reason="x", verified=PROBLEMS
    )
    assert list(criteria(selection)) == [
        "1 selected object",
        "failed or queued",
        "reason “x”",
        "verified as damaged, missing or unreadable",
    ]
    assert list(criteria(Selection(verified=(Verification.OK,)))) == ["verified as ok"]
    assert list(criteria(Selection())) == []
