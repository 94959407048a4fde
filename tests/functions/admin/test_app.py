from __future__ import annotations

import hashlib
import html
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from functions.admin import addresses, wiring
from functions.admin.addresses import Address
from functions.admin.app import Admin
from functions.admin.media.content import LARGEST_RESPONSE_ON_LAMBDA
from functions.admin.web.sessions import COOKIE
from shared.config.settings import Settings
from shared.errors import SettingError
from shared.http.event import Request, Response
from shared.ledger.actions import Action
from shared.ledger.ledger import Ledger
from shared.ledger.selection import Selection
from tests.browser import demo
from tests.helpers.hashes import cheap_hash

LIST = "/admin/sync/filesync/"
HASH = cheap_hash("correct")
DEFAULT = cheap_hash("admin")
NAME = "folder ü/100% #1?.jpg"
CONTENT = bytes(range(256)) * 40


class Browser:
    """What a browser does that matters here: it keeps the cookie and fills in forms."""

    def __init__(self, admin: Admin, **headers: str) -> None:
        self.admin = admin
        self.headers = {"accept": "text/html", **headers}
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> Response:
        route, _, query = path.partition("?")
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        event: dict[str, Any] = {
            "rawPath": route,
            "rawQueryString": query,
            "headers": {**self.headers, **names},
            "cookies": [f"{name}={value}" for name, value in self.cookies.items()],
            "requestContext": {"http": {"method": method, "sourceIp": "10.0.0.2"}},
            "body": body,
        }
        answer = self.admin.answer(Request.from_event(event))
        for cookie in answer.cookies:
            self.cookies[COOKIE] = cookie.partition(";")[0].partition("=")[2]
        return answer

    def get(self, path: str, **headers: str) -> Response:
        return self.ask("GET", path, **headers)

    def csrf(self, path: str) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.get(path).body.decode())
        assert found
        return found[1]

    def post(self, path: str, csrf: str | None = None, **fields: Any) -> Response:
        token = self.csrf(path) if csrf is None else csrf
        body = urlencode({"csrf": token, **fields}, doseq=True)
        return self.ask("POST", path, body, content_type="application/x-www-form-urlencoded")

    def follow(self, answer: Response) -> Response:
        """Return the page that a redirect leads to."""
        assert answer.status == 303
        return self.get(answer.headers["location"])

    def log_in(self) -> Browser:
        assert self.post("/admin/login/", user="root", password="correct").status == 303
        return self


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    (tmp_path / "storage").mkdir()
    return tmp_path / "storage"


@pytest.fixture
def variables(database_url: str, storage: Path) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "DATABASE_ROLES": "1",
        "STORAGE_PATH": str(storage),
        "ADMIN_SESSION_KEY": "k" * 32,
        "ADMIN_PASSWORD_HASH": HASH,
        "TRUSTED_PROXIES": "10.0.0.0/8",
        "RATE_LIMIT_LOGIN": "off",
    }


@pytest.fixture
def admin(variables: dict[str, str]) -> Admin:
    return wiring.build(Settings.from_mapping(variables))


@pytest.fixture
def browser(admin: Admin) -> Browser:
    return Browser(admin).log_in()


@pytest.fixture
def ledger(database_url: str) -> Ledger:
    return Ledger.at(database_url)


@pytest.fixture
def synced(ledger: Ledger, storage: Path) -> int:
    return demo.synced(ledger, storage, demo.Content(NAME, "image/jpeg", CONTENT))


@pytest.fixture
def failed(ledger: Ledger) -> int:
    return demo.failed(ledger, "gone.jpg", "The object does not exist")


def media(name: str = NAME) -> str:
    return "/media/" + quote(name)


def test_every_address_has_one_route(admin: Admin) -> None:
    table = [value for value in vars(addresses).values() if isinstance(value, Address)]
    assert len(table) > 5
    assert sorted(route.address.pattern for route in admin.routes) == sorted(
        address.pattern for address in [*table, *addresses.SHORTENED]
    )


PAGES = (
    "/admin/",
    "/admin/live/",
    LIST,
    f"{LIST}1/change/",
    "/admin/callbacks/",
    "/admin/failures/",
    "/admin/actions/",
    "/admin/actions/new/?do=verify",
    "/admin/actions/1/",
    "/admin/actions/1/live/",
    "/admin/export/",
    "/admin/export/objects.csv",
    media(),
    "/admin/thumbnail/small/1",
)


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_shown_to_strangers(admin: Admin, synced: int, path: str) -> None:
    assert synced == 1
    answer = Browser(admin).get(path)
    assert answer.status == 303
    assert answer.headers["location"].startswith("/admin/login/")
    assert Browser(admin).get(path, accept="image/*").status == 401


@pytest.mark.parametrize("path", PAGES[:11])
def test_every_page_forbids_what_it_does_not_need(
    browser: Browser, ledger: Ledger, synced: int, path: str
) -> None:
    assert ledger.actions.begin(Action.VERIFY, Selection(ids=(synced,)), "test") == 1
    answer = browser.get(path)
    assert answer.status == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cache-control"] == "no-store"
    assert b" style=" not in answer.body
    assert b" onclick" not in answer.body


def test_a_login_starts_a_new_session(admin: Admin) -> None:
    browser = Browser(admin)
    browser.get("/admin/login/")
    before = browser.cookies[COOKIE]
    browser.log_in()
    assert browser.cookies[COOKIE].split(".")[1] != before.split(".")[1]


@pytest.mark.parametrize(
    ("target", "place"),
    [
        (LIST, LIST),
        ("https://example.com/", "/admin/"),
        ("//example.com", "/admin/"),
        ("/admin/\r\nx: y", "/admin/"),
        ("/sync/", "/admin/"),
        ("/admin/\\x", "/admin/"),
    ],
)
def test_a_login_never_leads_to_another_site(admin: Admin, target: str, place: str) -> None:
    answer = Browser(admin).post("/admin/login/", user="root", password="correct", next=target)
    assert answer.headers["location"] == place


def test_a_failed_login_does_not_forget_the_page_asked_for(admin: Admin) -> None:
    browser = Browser(admin)
    page = browser.post("/admin/login/", user="root", password="wrong", next=f"{LIST}?q=a").body
    assert f'name="next" value="{LIST}?q=a"'.encode() in page


SAME_SITE = ({"sec_fetch_site": "same-origin"}, {"origin": "http://here:80", "host": "here:80"})
OTHER_SITE: tuple[dict[str, str], ...] = (
    {"sec_fetch_site": "cross-site", "origin": "http://here", "host": "here"},
    {"sec_fetch_site": "same-site"},
    {"origin": "http://there", "host": "here"},
    {"origin": "null", "host": "here"},
    {},
)


def hidden(page: bytes) -> dict[str, str]:
    found = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.decode())
    return {name: html.unescape(value) for name, value in found}


def form(**fields: Any) -> str:
    return urlencode(fields, doseq=True)


@pytest.mark.parametrize("headers", SAME_SITE)
def test_an_action_is_not_lost_when_its_session_has_expired(
    admin: Admin, ledger: Ledger, failed: int, headers: dict[str, str]
) -> None:
    browser = Browser(admin)
    sent = {**headers, "content_type": "application/x-www-form-urlencoded"}
    target = f"{LIST}?state=failed"
    answer = browser.ask("POST", target, form(csrf="old", action="retry", id=failed), **sent)
    assert answer.status == 403
    login = hidden(answer.body)
    assert (login["next"], login["fields"]) == (target, f"action=retry&id={failed}")
    wrong = browser.ask("POST", "/admin/login/", form(**login, user="root", password="x"), **sent)
    login = hidden(wrong.body)
    confirm = browser.ask(
        "POST", "/admin/login/", form(**login, user="root", password="correct"), **sent
    )
    assert b"<h1>Retry?</h1>" in confirm.body
    assert ledger.counts().failed == 1  # nothing is done without a confirmation
    fields = hidden(confirm.body)
    assert browser.ask("POST", target, form(**fields), **sent).status in {200, 303}
    assert ledger.counts().failed == 0


def test_a_form_of_an_older_login_is_confirmed_at_once(
    browser: Browser, ledger: Ledger, failed: int
) -> None:
    sent = {**SAME_SITE[0], "content_type": "application/x-www-form-urlencoded"}
    target = f"{LIST}{failed}/change/"
    answer = browser.ask("POST", target, form(csrf="old", action="dismiss"), **sent)
    assert b"<h1>Dismiss?</h1>" in answer.body
    assert ledger.counts().failed == 1
    fields = hidden(answer.body)
    assert browser.ask("POST", target, form(**fields), **sent).status in {200, 303}
    assert ledger.counts().dismissed == 1


@pytest.mark.parametrize("headers", OTHER_SITE)
def test_an_action_of_another_site_is_not_kept(
    browser: Browser, failed: int, headers: dict[str, str]
) -> None:
    sent = {**headers, "content_type": "application/x-www-form-urlencoded"}
    body = form(csrf="old", action="retry", id=failed)
    for asked in (browser, Browser(browser.admin)):
        answer = asked.ask("POST", LIST, body, **sent)
        assert answer.status == 403
        assert b"Session expired" in answer.body
        assert b'name="id"' not in answer.body


def test_a_kept_action_goes_nowhere_else(admin: Admin) -> None:
    browser = Browser(admin)
    answer = browser.post(
        "/admin/login/",
        user="root",
        password="correct",
        next="https://example.com/",
        fields="action=retry&id=1&csrf=x",
    )
    assert (answer.status, answer.headers["location"]) == (303, "/admin/")


def test_a_logout_ends_the_session_for_every_copy_of_its_cookie(
    variables: dict[str, str], browser: Browser
) -> None:
    csrf, copied = browser.csrf("/admin/"), dict(browser.cookies)
    assert browser.post("/admin/logout/", csrf).status == 303
    assert browser.cookies[COOKIE] == ""
    for admin in (browser.admin, wiring.build(Settings.from_mapping(variables))):
        thief = Browser(admin)
        thief.cookies = dict(copied)
        assert thief.get("/admin/").headers["location"] == "/admin/login/"
        assert thief.post(LIST, csrf, action="retry", id=1).status == 403
        assert Browser(admin).log_in().get("/admin/").status == 200


def test_a_logout_succeeds_without_the_ledger(variables: dict[str, str], admin: Admin) -> None:
    browser = Browser(admin).log_in()
    csrf = browser.csrf("/admin/")
    away = {**variables, "DATABASE_URL": "postgresql://127.0.0.1:1/none"}
    browser.admin = wiring.build(Settings.from_mapping(away))
    assert browser.post("/admin/logout/", csrf).status == 303
    assert browser.cookies[COOKIE] == ""


@pytest.mark.parametrize("path", ["/admin", "/admin/sync/filesync", "/admin/sync/"])
def test_an_address_may_lack_its_last_part(browser: Browser, path: str) -> None:
    answer = browser.get(path)
    assert answer.status == 303
    assert answer.headers["location"] == ("/admin/" if path == "/admin" else LIST)


def test_a_cookie_is_secure_behind_tls_alone(admin: Admin) -> None:
    plain, secure = Browser(admin), Browser(admin, **{"x-forwarded-proto": "https"})
    for browser, expected in ((plain, False), (secure, True)):
        (cookie,) = browser.get("/admin/login/").cookies
        assert cookie.endswith("; Secure") is expected


@pytest.mark.parametrize(
    "path",
    [
        LIST,
        f"{LIST}1/change/",
        "/admin/actions/",
        "/admin/actions/1/",
        "/admin/callbacks/",
        "/admin/logout/",
        "/admin/login/",
    ],
)
def test_a_form_without_its_token_is_refused(
    browser: Browser, ledger: Ledger, failed: int, path: str
) -> None:
    for token in ("", "0" * 64, Browser(browser.admin).csrf("/admin/login/")):
        answer = browser.post(path, token, action="retry", id=failed)
        assert answer.status == 403
        assert b"Your session has expired. Log in again" in answer.body
    assert ledger.counts().failed == 1
    raw = browser.ask("POST", path, '{"action": "retry"}', content_type="application/json")
    assert raw.status == 403


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "delete", "id": 1},
        {"id": 1},
        {"action": "retry", "id": "x"},
        {"action": ["retry", "verify"], "id": 1},
    ],
)
def test_a_form_that_is_none_of_ours_is_refused(browser: Browser, fields: dict[str, Any]) -> None:
    assert browser.post(LIST, **fields).status == 403


@pytest.mark.parametrize(
    "path",
    [
        "/admin/none/",
        f"{LIST}999/change/",
        f"{LIST}x/change/",
        f"{LIST}1/delete/",
        "/media/none",
        "/media/..%2f..%2fetc/passwd",
        "/admin/static/none.css",
        "/admin/thumbnail/huge/1",
        "/admin/thumbnail/small/x",
        "/elsewhere",
        f"{LIST}99999999999999999999/change/",
        "/media/%00",
    ],
)
def test_what_is_not_there_is_not_found(browser: Browser, path: str) -> None:
    answer = browser.get(path)
    assert answer.status == 404
    assert b"<h1>Page not found</h1>" in answer.body


def test_other_methods_are_not_allowed(browser: Browser) -> None:
    for path in ("/admin/", media(), "/admin/static/admin.css"):
        answer = browser.ask("DELETE", path)
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


def test_failed_objects_are_retried(
    browser: Browser, ledger: Ledger, failed: int, synced: int
) -> None:
    answer = browser.follow(browser.post(LIST, action="retry", id=[failed, synced]))
    assert b"1 of 2 queued for retry" in answer.body
    assert b"skipped: already synced" in answer.body
    assert (ledger.counts().failed, ledger.counts().queued) == (0, 1)


def test_files_are_verified(browser: Browser, synced: int, failed: int, storage: Path) -> None:
    assert (
        b"The file matches the original"
        in browser.post(f"{LIST}{synced}/change/", action="verify").body
    )
    (storage / NAME).write_bytes(CONTENT[::-1])
    answer = browser.follow(browser.post(LIST, action="verify", id=[synced, failed]))
    assert b"0 of 2 files match the originals" in answer.body
    assert b"<span>damaged</span>" in answer.body
    assert b"skipped: not synced (failed)" in answer.body
    (storage / NAME).unlink()
    answer = browser.follow(browser.post(LIST, action="verify", id=synced))
    assert b"The file is missing" in answer.body


def test_a_file_that_a_later_object_replaced_is_told_apart(
    browser: Browser, ledger: Ledger, synced: int, storage: Path
) -> None:
    later = demo.synced(ledger, storage, demo.Content(NAME, "image/jpeg", b"new"), "again")
    answer = browser.follow(browser.post(LIST, action="verify", id=[synced, later]))
    assert b"<span>replaced</span>" in answer.body
    assert b"1 of 2 files match the originals" in answer.body
    assert f"{LIST}{later}/change/".encode() in browser.get(f"{LIST}{synced}/change/").body


def test_media_are_the_very_bytes(browser: Browser, synced: int) -> None:
    assert synced
    answer = browser.get(media())
    assert (answer.status, answer.body) == (200, CONTENT)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["accept-ranges"] == "bytes"
    etag = answer.headers["etag"]
    assert hashlib.sha256(CONTENT).hexdigest() in etag
    assert browser.get(media(), if_none_match=etag).status == 304
    part = browser.get(media(), range="bytes=10-19", if_range=etag)
    assert (part.status, part.body) == (206, CONTENT[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(CONTENT)}"
    assert browser.get(media(), range="bytes=10-19", if_range='"old"').status == 200
    beyond = browser.get(media(), range=f"bytes={len(CONTENT)}-")
    assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{len(CONTENT)}")


def test_a_changed_file_is_another_version(browser: Browser, synced: int, storage: Path) -> None:
    assert synced
    etag = browser.get(media()).headers["etag"]
    (storage / NAME).write_bytes(CONTENT[::-1])
    assert browser.get(media(), if_none_match=etag).status == 200


def test_a_large_file_comes_in_pieces(
    variables: dict[str, str], ledger: Ledger, storage: Path
) -> None:
    large = bytes(LARGEST_RESPONSE_ON_LAMBDA + 10)
    demo.synced(ledger, storage, demo.Content("large.bin", "x/y", large))
    on_lambda = {**variables, "AWS_LAMBDA_FUNCTION_NAME": "admin"}
    browser = Browser(wiring.build(Settings.from_mapping(on_lambda))).log_in()
    assert browser.get("/media/large.bin").status == 413
    first = browser.get("/media/large.bin", range="bytes=0-")
    assert (first.status, len(first.body)) == (206, LARGEST_RESPONSE_ON_LAMBDA)
    assert len(str(first.to_event("r"))) < 6 * 1024 * 1024
    rest = browser.get("/media/large.bin", range=f"bytes={len(first.body)}-")
    assert first.body + rest.body == large


def test_nginx_is_asked_to_send_the_file(variables: dict[str, str], synced: int) -> None:
    assert synced
    settings = Settings.from_mapping({**variables, "MEDIA_ACCEL": "1"})
    answer = Browser(wiring.build(settings)).log_in().get(media())
    assert answer.headers["x-accel-redirect"] == "/protected-media/" + quote(NAME)
    assert answer.body == b""


def test_a_link_in_the_storage_is_not_followed(
    browser: Browser, synced: int, storage: Path
) -> None:
    assert synced
    (storage / NAME).unlink()
    (storage / NAME).symlink_to("/etc/passwd")
    assert browser.get(media()).status == 404


def test_names_are_escaped_wherever_they_are_shown(browser: Browser, ledger: Ledger) -> None:
    name = "<script>alert(1)</script>\"'.jpg".replace("/", "%2F")
    row_id = demo.failed(ledger, name, "<b>reason</b>")
    for path in (LIST, f"{LIST}{row_id}/change/", "/admin/", f"{LIST}?q=<script>&type=<b>"):
        body = browser.get(path).body
        assert b"<script>alert" not in body
        assert b"<b>reason" not in body


def test_static_files_never_go_stale(admin: Admin) -> None:
    browser = Browser(admin)
    found = re.search(
        r'href="(/admin/static/admin.css\?v=\w+)"', browser.get("/admin/login/").body.decode()
    )
    assert found
    answer = browser.get(found[1])
    assert "immutable" in answer.headers["cache-control"]
    assert browser.get(found[1], if_none_match=answer.headers["etag"]).status == 304
    assert browser.get("/admin/static/admin.css").headers["cache-control"] == "no-cache"


def test_an_outage_of_the_ledger_has_a_page_of_its_own(variables: dict[str, str]) -> None:
    gone = {**variables, "DATABASE_URL": "postgresql://127.0.0.1:1/none"}
    browser = Browser(wiring.build(Settings.from_mapping(gone))).log_in()
    answer = browser.get("/admin/")
    assert answer.status == 503
    assert b"Can't reach the database" in answer.body


def test_login_attempts_are_limited(variables: dict[str, str]) -> None:
    limited = {**variables, "RATE_LIMIT_LOGIN": "1/m"}
    browser = Browser(wiring.build(Settings.from_mapping(limited)))
    assert browser.post("/admin/login/", user="root", password="wrong").status == 403
    answer = browser.post("/admin/login/", user="root", password="correct")
    assert answer.status == 412
    seconds = int(answer.headers["retry-after"])
    assert seconds > 0
    assert f"Too many login attempts. Try again in {seconds} s".encode() in answer.body


def test_from_other_networks_there_is_no_admin(variables: dict[str, str]) -> None:
    bound = {**variables, "ADMIN_NETWORKS": "192.0.2.0/24"}
    browser = Browser(wiring.build(Settings.from_mapping(bound)))
    paths = ("/admin/", "/admin/login/", "/admin/static/admin.css", "/media/a.jpg", "/admin")
    inside = [browser.get(path, x_forwarded_for="192.0.2.9").status for path in paths]
    outside = [browser.get(path, x_forwarded_for="203.0.113.7").status for path in paths]
    assert 404 not in inside[:2]
    assert outside == [404] * len(paths)
    answer = browser.ask("POST", "/admin/login/", "user=root", x_forwarded_for="203.0.113.7")
    assert answer.status == 404


@pytest.mark.parametrize(
    "change",
    [
        {"ADMIN_PASSWORD_HASH": ""},
        {"ADMIN_PASSWORD_HASH": DEFAULT},
        {"ADMIN_SESSION_KEY": ""},
        {"STORAGE_PATH": ""},
    ],
    ids=["no password", "default password", "no key", "no storage"],
)
def test_it_refuses_to_start_unsafely(variables: dict[str, str], change: dict[str, str]) -> None:
    with pytest.raises(SettingError, match=next(iter(change))):
        wiring.build(Settings.from_mapping({**variables, **change}))


def test_the_page_of_a_failed_object_says_what_to_do(browser: Browser, failed: int) -> None:
    page = browser.get(f"{LIST}{failed}/change/").body.decode()
    assert "S3 has no object of this name." in page
    assert "Upload the object, then retry." in page
    assert page.index("Next step:") < page.index("Timeline") < page.index("Preview")
    assert page.index("Preview") < page.index("Details")


@pytest.mark.parametrize(
    ("name", "file_type", "content", "shown"),
    [
        ("empty.txt", "text/plain", b"", "This file is empty: 0 bytes"),
        ("a.json", "application/json", b'{"a":[1]}', "{\n  &#34;a&#34;: [\n    1\n  ]\n}</pre>"),
        ("a.html", "text/html", b"<script>run</script>", ">&lt;script&gt;run&lt;/script&gt;</pre>"),
        ("a.xml", "application/xml", b"<a/>", ">&lt;a/&gt;</pre>"),
        ("a.svg", "image/svg+xml", b"<svg/>", '<img class="shot vector" src="/media/a.svg"'),
        ("latin.txt", "text/plain; charset=iso-8859-1", b"na\xefve", ">naïve</pre>"),
    ],
)
def test_each_kind_of_file_has_its_preview(
    browser: Browser,
    ledger: Ledger,
    storage: Path,
    name: str,
    file_type: str,
    content: bytes,
    shown: str,
) -> None:
    row_id = demo.synced(ledger, storage, demo.Content(name, file_type, content))
    assert shown in browser.get(f"{LIST}{row_id}/change/").body.decode()


def test_characters_that_cannot_be_seen_are_shown_on_every_page(
    browser: Browser, ledger: Ledger
) -> None:
    row_id = demo.failed(ledger, "invoice\u202egpj.exe\u200b", "no")
    for path in (LIST, f"{LIST}{row_id}/change/"):
        page = browser.get(path).body.decode()
        assert ">[U+202E]</span>gpj.exe" in page
        assert "\u202e" not in re.sub(r'(data-copy|download|value)="[^"]*"', "", page)


def test_an_empty_installation_shows_its_first_request(variables: dict[str, str]) -> None:
    local = {**variables, "LOCAL_RUN": "1", "SECRET_KEY": "key", "ENVIRONMENT_NAME": "test <1>"}
    browser = Browser(wiring.build(Settings.from_mapping(local))).log_in()
    page = browser.get("/admin/", host="here:27000").body.decode()
    assert "curl -X POST http://here:27000/sync/" in page
    assert "All right" in page
    assert ">test &lt;1&gt;</b>" in page


def test_the_dashboard_says_what_is_not_all_right(browser: Browser, failed: int) -> None:
    assert failed
    page = browser.get("/admin/?period=7d").body.decode()
    assert "One thing needs attention" in page
    assert f'<a href="{LIST}?state=failed">1 object has failed</a>' in page
    assert "No files yet" not in page


def test_the_dashboard_leads_to_the_files_of_each_reason(browser: Browser, ledger: Ledger) -> None:
    counts = {"The object does not exist": 2, "The worker stopped without an answer": 1}
    demo.failed(ledger, "a.jpg", "The object does not exist: 404 NoSuchKey")
    demo.failed(ledger, "b.jpg", "The object does not exist: waited 300 s for it")
    stopped = "timed out; then the worker stopped without an answer, attempts used up"
    demo.failed(ledger, "c.jpg", stopped)
    page = browser.get("/admin/").body.decode()
    assert '<h2 id="reasons"><a href="/admin/failures/">' in page
    for reason, number in counts.items():
        url = f"{LIST}?{urlencode({'state': 'failed', 'reason': reason})}"
        assert f'<a href="{html.escape(url)}">{reason}</a><b>{number}</b>' in page
        assert browser.get(url).body.decode().count('name="id"') == number
        assert (
            f'{reason}</h2><b class="figure">{number}</b>'
            in browser.get("/admin/failures/").body.decode()
        )
