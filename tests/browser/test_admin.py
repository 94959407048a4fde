from __future__ import annotations

import hashlib
import re
from functools import partial

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from local.servers.sample_pictures import pictures
from tests.browser.conftest import log_in
from tests.browser.steps import LIST, open_object, put, sync, until
from tests.helpers.service import Service, payload

SVG = b"""<svg xmlns="http://www.w3.org/2000/svg" width="60" height="40">
<script>document.title = "run"</script><rect width="60" height="40" style="fill: teal"/></svg>"""

HEAVIEST = 150_000
"""Bytes of a page with all that it loads."""


def test_a_wrong_password_does_not_log_in(stranger: Page) -> None:
    log_in(stranger, "wrong")
    expect(stranger.get_by_role("alert")).to_have_text("Wrong username or password")
    stranger.goto(LIST)
    expect(stranger.get_by_role("heading", level=1)).to_have_text("Log in")


def test_a_login_leads_to_the_page_asked_for_and_a_logout_ends_it(stranger: Page) -> None:
    stranger.goto(LIST)
    stranger.get_by_label("Username").fill("root")
    stranger.get_by_label("Password").fill("admin")
    stranger.keyboard.press("Enter")
    expect(stranger.get_by_role("heading", level=1)).to_have_text("Files")
    stranger.get_by_role("button", name="Log out").click()
    expect(stranger.get_by_role("heading", level=1)).to_have_text("Log in")
    stranger.goto(LIST)
    expect(stranger.get_by_role("heading", level=1)).to_have_text("Log in")


def test_scripts_and_other_sites_cannot_read_the_session_cookie(page: Page) -> None:
    (cookie,) = page.context.cookies()
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"
    assert page.evaluate("document.cookie") == ""


def test_the_list_shows_searches_and_filters(page: Page, service: Service) -> None:
    sync(service, "picture-01.jpg")
    sync(service, "picture-03.png", "image/png")
    page.goto(LIST)
    row = page.get_by_role("row").filter(has_text="picture-01.jpg").first
    thumbnail = row.locator("img")
    until(lambda: thumbnail.evaluate("image => image.complete && image.naturalWidth") == 80)
    page.get_by_label("Search").fill("picture-0")
    page.get_by_label("Type").select_option("image/png")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("tbody tr").filter(has_text="picture-03.png")).not_to_have_count(0)
    expect(page.locator("tbody tr").filter(has_text="picture-01.jpg")).to_have_count(0)
    page.get_by_role("navigation", name="State").get_by_role("link", name="Failed").click()
    expect(page.get_by_role("cell", name="No matching files")).to_be_visible()


def test_a_preview_is_the_very_file(page: Page, service: Service) -> None:
    for name in ("Höhenweg-日の出.jpg", "2026/11/field trip/first stop.jpg"):
        content = next(p.content for p in pictures() if p.name == name)
        sync(service, name)
        open_object(page, name)
        image = page.get_by_role("img", name="Preview of")
        until(partial(image.evaluate, "i => i.complete && i.naturalWidth > 0"))
        href = page.get_by_role("link", name="Download").get_attribute("href")
        with page.expect_download() as download:
            page.get_by_role("link", name="Download").click()
        assert download.value.path().read_bytes() == content
        assert page.request.get(href or "").body() == content
        expect(page.get_by_text(hashlib.sha256(content).hexdigest()).first).to_be_visible()


def test_a_failed_object_is_retried_until_it_is_synced(
    page: Page, service: Service, s3_url: str
) -> None:
    name, content = "late/arrival.txt", b"here at last"
    assert service.post(payload(name, "text/plain")).status == 201
    open_object(page, name, "failed")
    expect(page.get_by_text("File not synced")).to_be_visible()
    expect(page.get_by_text("The object does not exist").first).to_be_visible()
    put(s3_url, name, content, "text/plain")
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("status")).to_contain_text("1 of 1 queued for retry")
    until((service.storage / name).is_file)
    until(lambda: service.counts()[1] == 0)  # the ledger follows the file
    open_object(page, name)
    expect(page.locator("pre")).to_have_text(content.decode())
    timeline = page.get_by_role("region", name="Timeline")
    expect(timeline.get_by_role("listitem").filter(has_text="Queued for retry")).to_contain_text(
        "by admin: root"
    )


def test_a_reload_does_not_act_again(page: Page, service: Service) -> None:
    name = "never/there.jpg"
    assert service.post(payload(name)).status == 201
    open_object(page, name, "failed")
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("status")).to_contain_text("1 of 1 queued for retry")
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.method))
    page.reload()
    expect(page.get_by_role("status")).to_have_count(0)
    assert set(requested) == {"GET"}


def test_sorting_leaves_no_object_out(page: Page, service: Service) -> None:
    sync(service, "picture-02.jpg")
    assert service.post(payload("sorted/nowhere.jpg")).status == 201
    open_object(page, "sorted/nowhere.jpg", "failed")
    page.goto(LIST)
    everything = page.locator("tbody tr").count()
    for column in ("Size", "Synced", "Attempts", "File name", "Created"):
        for direction in ("descending", "ascending"):
            page.get_by_role("columnheader", name=column).get_by_role("link").click()
            header = page.get_by_role("columnheader", name=column)
            if column != "Created":
                expect(header).to_have_attribute("aria-sort", direction)
            assert page.locator("tbody tr").count() >= everything
    page.get_by_role("navigation", name="State").get_by_role("link", name="Failed").click()
    page.get_by_role("columnheader", name="Size").get_by_role("link").click()
    expect(page.get_by_role("link", name="sorted/nowhere.jpg").first).to_be_visible()


def test_the_dashboard_names_every_server(page: Page) -> None:
    page.goto("/admin/")
    servers = page.get_by_role("region", name="Servers")
    expect(servers).to_contain_text("can be read")
    for name in ("Database", "Cache", "S3"):
        # "OKS3" and "Answers37.1 ms" read as S3, too.
        line = servers.get_by_role("listitem").filter(has=page.get_by_text(name, exact=True))
        expect(line).not_to_contain_text("down")
        expect(line).to_contain_text("ms")


def test_verify_tells_a_changed_file_from_an_unchanged_one(page: Page, service: Service) -> None:
    sync(service, "picture-04.jpg")
    sync(service, "picture-05.jpg")
    open_object(page, "picture-04.jpg")
    page.get_by_role("button", name="Verify now").click()
    expect(page.get_by_role("status")).to_contain_text("The file matches the original")
    (service.storage / "picture-05.jpg").write_bytes(b"something else")
    page.goto(f"{LIST}?q=picture-0")
    for name in ("picture-04.jpg", "picture-05.jpg"):
        page.get_by_role("checkbox", name=f"Select {name}").first.check()
    page.get_by_role("button", name="Verify").click()
    report = page.get_by_role("status")
    expect(report).to_contain_text("1 of 2 files match the originals")
    expect(report.get_by_role("listitem").filter(has_text="picture-05.jpg")).to_contain_text(
        "damaged"
    )


def test_a_form_of_another_site_is_refused(page: Page) -> None:
    answer = page.request.post(LIST, form={"action": "retry", "id": "1", "csrf": "0" * 64})
    assert answer.status == 403
    assert page.request.post("/admin/logout/", form={}).status == 403
    page.goto(LIST)
    expect(page.get_by_role("heading", level=1)).to_have_text("Files")


@pytest.mark.parametrize(
    ("name", "file_type"),
    [
        ("<script>document.title='run'&.jpg", "image/jpeg"),
        ("\"><img src=x onerror=document.title='run'>.jpg", "image/jpeg"),
        ("{{ 7*7 }}' onmouseover='document.title=1.jpg", "x/y"),
    ],
)
def test_a_name_never_runs(page: Page, service: Service, name: str, file_type: str) -> None:
    assert service.post(payload(name, file_type)).status == 201
    open_object(page, name, "failed")
    assert "run" not in page.title().split("·")[1]
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    page.goto(f"{LIST}?state=failed")
    expect(page.get_by_role("link", name=name).first).to_be_visible()
    assert page.title() == "Files · External storage sync"
    assert page.locator("main script").count() == 0


@pytest.mark.parametrize(
    ("name", "file_type", "content"),
    [
        ("drawing.svg", "image/svg+xml", SVG),
        ("page.html", "text/html", b"<script>document.title = 'run'</script>"),
    ],
)
def test_a_file_that_could_run_is_only_saved(
    page: Page, service: Service, s3_url: str, name: str, file_type: str, content: bytes
) -> None:
    put(s3_url, name, content, file_type)
    sync(service, name, file_type)
    open_object(page, name)
    if file_type == "text/html":
        expect(page.locator(".preview pre")).to_have_text(content.decode())
    else:
        image = page.get_by_role("img", name="Preview of drawing.svg")
        until(partial(image.evaluate, "i => i.complete && i.naturalWidth === 60"))
    assert page.locator(".preview svg, .preview iframe, .preview script").count() == 0
    assert "run" not in page.title()
    answer = page.request.get(f"/media/{name}")
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    with page.expect_download() as download:
        page.evaluate("name => { location.href = '/media/' + name }", name)
    assert download.value.path().read_bytes() == content


def test_a_link_in_a_mail_opens_the_object(page: Page, service: Service) -> None:
    sync(service, "picture-08.jpg")
    open_object(page, "picture-08.jpg")
    url = page.url
    # Another site: a browser sends no Strict cookie with what a page of it begins.
    page.goto(f"data:text/html,<a href='{url}'>open</a>".replace("#", "%23"))
    page.get_by_role("link", name="open").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("picture-08.jpg")
    page.context.clear_cookies()
    page.goto(url)
    page.get_by_label("Username").fill("root")
    page.get_by_label("Password").fill("admin")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("picture-08.jpg")
    assert page.url == url  # with the filter of the list that it was opened from


def test_an_action_outlives_its_session(page: Page, service: Service) -> None:
    assert service.post(payload("session/over.jpg")).status == 201
    open_object(page, "session/over.jpg", "failed")
    page.context.clear_cookies()
    page.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing has been done yet")
    page.get_by_label("Username").fill("root")
    page.get_by_label("Password").fill("admin")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Dismiss?")
    assert Axe().run(page).violations_count == 0
    page.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("session/over.jpg")
    expect(page.locator(".head .badge")).to_have_text("dismissed")


def test_the_page_of_an_object_leads_through_its_list(page: Page, service: Service) -> None:
    for number in range(3):
        assert service.post(payload(f"row/{number}.jpg")).status == 201
    open_object(page, "row/2.jpg", "failed")
    page.goto(f"{LIST}?q=row&state=failed")
    page.get_by_role("link", name="row/1.jpg").click()
    beside = page.get_by_role("navigation", name="Neighbours in the list")
    beside.get_by_role("link", name="Previous").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("row/2.jpg")
    expect(beside.get_by_role("link", name="Previous")).to_have_count(0)
    for name in ("row/1.jpg", "row/0.jpg"):
        beside.get_by_role("link", name="Next").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
    expect(beside.get_by_role("link", name="Next")).to_have_count(0)
    page.get_by_role("navigation", name="Path").get_by_role("link").click()
    expect(page.get_by_label("Search")).to_have_value("row")


def test_a_hash_is_copied(page: Page, service: Service) -> None:
    sync(service, "picture-10.jpg")
    open_object(page, "picture-10.jpg")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy SHA-256").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    content = (service.storage / "picture-10.jpg").read_bytes()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == hashlib.sha256(content).hexdigest()


def test_a_name_that_hides_something_shows_it(page: Page, service: Service) -> None:
    name = "invoice\u202egpj.exe\u200b"
    assert service.post(payload(name)).status == 201
    shown = "invoice[U+202E]gpj.exe[U+200B]"
    until(lambda: service.counts()[1] > 0)
    page.goto(f"{LIST}?q=invoice")
    page.get_by_role("link", name=shown).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(shown)
    assert page.title().startswith(shown)


def test_media_is_for_the_logged_in_alone(stranger: Page, service: Service) -> None:
    sync(service, "picture-06.png", "image/png")
    assert stranger.request.get("/media/picture-06.png").status == 401
    stranger.goto("/media/picture-06.png")
    expect(stranger.get_by_role("heading", level=1)).to_have_text("Log in")


PAGES = (
    "/admin/",
    "/admin/?period=7d",
    LIST,
    f"{LIST}?q=picture&state=synced",
    f"{LIST}1/change/",
    "/admin/failures/",
    "/admin/actions/",
    "/admin/actions/new/?do=verify",
    "/admin/export/",
    "/admin/callbacks/",
)


@pytest.mark.parametrize("look", ["light", "dark", "phone", "contrast", "forced"])
def test_pages_are_accessible(page: Page, service: Service, look: str) -> None:
    sync(service, "picture-07.jpg")
    if look == "dark":
        page.emulate_media(color_scheme="dark")
    if look == "contrast":
        page.emulate_media(contrast="more")
    if look == "forced":
        page.emulate_media(forced_colors="active")
    if look == "phone":
        page.set_viewport_size({"width": 360, "height": 740})
    for path in PAGES:
        page.goto(path)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, path
    page.context.clear_cookies()
    page.goto("/admin/")
    assert Axe().run(page).violations_count == 0


def test_the_keyboard_reaches_everything(page: Page) -> None:
    page.goto(LIST)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name=re.compile("^All"))).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_pages_are_light_and_do_not_jump(page: Page, service: Service) -> None:
    for number, picture in enumerate(pictures()):
        assert service.post(payload(picture.name, picture.media_type)).status == 201, number
    names = [p.name for p in pictures()]
    until(lambda: all((service.storage / name).is_file() for name in names))
    for path in (*PAGES, f"{LIST}3/change/"):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        # From the cache or not: what a first visit loads.
        weight = page.evaluate(
            "[...performance.getEntriesByType('navigation'),"
            " ...performance.getEntriesByType('resource')]"
            ".reduce((sum, entry) => sum + entry.encodedBodySize, 0)"
        )
        assert 5_000 < weight < HEAVIEST, (path, weight)
        shift = page.evaluate(
            "new Promise(done => new PerformanceObserver(list => done(list.getEntries()"
            ".reduce((sum, entry) => sum + entry.value, 0)))"
            ".observe({type: 'layout-shift', buffered: true}) ?? setTimeout(() => done(0), 500))"
        )
        assert shift < 0.02, path


def test_the_dashboard_refreshes_itself_until_paused(page: Page) -> None:
    page.clock.install()
    page.goto("/admin/")
    with page.expect_response("**/admin/live/**"):
        page.clock.run_for(10_500)
    page.get_by_role("button", name="Pause refresh").click()
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.clock.run_for(60_000)
    assert requested == []
    page.get_by_role("button", name="Resume refresh").click()
    with page.expect_response("**/admin/live/**"):
        page.clock.run_for(10_500)


def test_a_dashboard_that_is_old_says_so_within_ten_seconds(page: Page) -> None:
    page.clock.install()
    page.goto("/admin/")
    stale = page.locator("#stale")
    expect(stale).to_be_hidden()
    page.route("**/admin/live/**", lambda route: route.abort())
    page.clock.run_for(10_000)
    expect(stale).to_contain_text(re.compile("Not updated since .* no connection"))
    expect(page.locator("#live")).to_have_class("stale")
    page.unroute("**/admin/live/**")
    with page.expect_response("**/admin/live/**"):
        page.clock.run_for(5_500)
    page.clock.run_for(1_000)
    expect(stale).to_be_hidden()


def test_the_chart_has_values_and_leads_to_the_files_of_its_time(page: Page) -> None:
    for name in ("1h", "24h", "7d"):
        page.goto("/admin/")
        page.get_by_role("navigation", name="Period").get_by_role("link", name=name).click()
        readout = page.locator("#readout")
        expect(readout).to_contain_text("Last")
        steps = page.locator(".drawing a")
        box = steps.last.bounding_box()
        assert box
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
        expect(readout).to_contain_text(re.compile(r"UTC: \d+ synced"))
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 20)
        page.wait_for_url(re.compile(r"filesync/\?from=.*T.*&to=.*T"))
        expect(page.get_by_role("heading", level=1)).to_have_text("Files")


def test_without_scripts_everything_but_the_refresh_works(page: Page, service: Service) -> None:
    sync(service, "picture-08.jpg")
    browser = page.context.browser
    assert browser is not None
    plain = browser.new_context(base_url=page.url, java_script_enabled=False)
    quiet = plain.new_page()
    log_in(quiet)
    quiet.goto(f"{LIST}?q=picture-08")
    quiet.get_by_role("checkbox", name="Select picture-08.jpg").first.check()
    quiet.get_by_role("button", name="Verify").click()
    expect(quiet.get_by_role("status")).to_contain_text("The file matches the original")
    plain.close()
