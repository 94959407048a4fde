"""What an object's page shows of its file."""

from __future__ import annotations

import base64
from functools import partial

from playwright.sync_api import Page, expect

from tests.browser import demo
from tests.browser.steps import open_object, put, sync, until
from tests.helpers.service import Service

FILM = """
new Promise((done, fail) => {
  setTimeout(() => fail(new Error('no film within a minute')), 60_000);
  const canvas = document.createElement('canvas');
  canvas.width = 64; canvas.height = 48;
  const drawing = canvas.getContext('2d');
  const recorder = new MediaRecorder(canvas.captureStream(20), {mimeType: 'video/webm'});
  const parts = [];
  recorder.ondataavailable = event => parts.push(event.data);
  recorder.onstop = () => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.split(',')[1]);
    reader.readAsDataURL(new Blob(parts));
  };
  recorder.start();
  let drawn = 0;
  const draw = () => {
    drawing.fillStyle = `rgb(${25 * drawn}, 90, 90)`;
    drawing.fillRect(0, 0, 64, 48);
    if (++drawn < 10) setTimeout(draw, 50); else recorder.stop();
  };
  draw();
})
"""
"""Half a second of video, recorded by the browser itself."""


def test_a_film_plays_in_its_place(page: Page, service: Service, s3_url: str) -> None:
    content = base64.b64decode(page.evaluate(FILM))
    put(s3_url, "films/half a second.webm", content, "video/webm")
    sync(service, "films/half a second.webm", "video/webm")
    open_object(page, "films/half a second.webm")
    film = page.locator("video")
    until(lambda: film.evaluate("film => film.videoWidth") == 64)
    film.evaluate("film => { film.play() }")  # its effect is waited for below
    until(lambda: film.evaluate("film => film.ended || film.currentTime > 0.2"))
    page.get_by_role("link", name="Open the full file").click()
    page.wait_for_url("**/media/**")
    until(lambda: film.evaluate("film => film.videoWidth") == 64)


def test_a_pdf_is_shown_and_can_be_opened(page: Page, service: Service, s3_url: str) -> None:
    name = "reports/Q3 100% #2.pdf"
    content = next(c.content for c in demo.contents() if c.file_type == "application/pdf")
    put(s3_url, name, content, "application/pdf")
    sync(service, name, "application/pdf")
    with page.expect_response("**/media/reports/*") as shown:
        open_object(page, name)
    assert shown.value.status == 200
    href = page.get_by_role("link", name="Open the full file").get_attribute("href") or ""
    answer = page.request.get(href)
    assert answer.body() == content
    assert answer.headers["content-disposition"].startswith("inline;")
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]


def test_a_text_is_shown_from_its_beginning(page: Page, service: Service, s3_url: str) -> None:
    content = "\n".join(f"line {n} <b>ü</b>" for n in range(2000))
    put(s3_url, "long.txt", content.encode(), "text/plain")
    sync(service, "long.txt", "text/plain")
    open_object(page, "long.txt")
    shown = page.locator("pre").text_content() or ""
    assert content.startswith(shown.rstrip("\N{REPLACEMENT CHARACTER}"))
    expect(page.get_by_text("First 16.4 kB of")).to_be_visible()
    box, card = page.locator("pre").bounding_box(), page.locator(".preview").bounding_box()
    assert box
    assert card
    assert box["width"] == card["width"]


def test_a_broken_image_leaves_type_and_size(page: Page, service: Service, s3_url: str) -> None:
    for name, content in (("broken-small.jpg", b"no"), ("broken-large.jpg", bytes(70_000))):
        put(s3_url, name, content, "image/jpeg")
        sync(service, name)
        open_object(page, name)
        expect(page.get_by_text("Can't show this image")).to_be_visible()
        expect(page.get_by_role("img", name="Preview of")).to_have_count(0)


def test_other_files_show_type_and_size(page: Page, service: Service, s3_url: str) -> None:
    put(s3_url, "bundle.zip", bytes(1500), "application/zip")
    sync(service, "bundle.zip", "application/zip")
    open_object(page, "bundle.zip")
    preview = page.locator(".preview")
    expect(preview).to_contain_text("application/zip")
    expect(preview).to_contain_text("1.5 kB")
    expect(page.get_by_text("1.5 kB (1\N{NARROW NO-BREAK SPACE}500 bytes)")).to_be_visible()


def test_an_image_is_shown_600_pixels_wide(page: Page, service: Service, s3_url: str) -> None:
    put(s3_url, "wide.jpg", demo.wide_picture(), "image/jpeg")
    sync(service, "wide.jpg")
    open_object(page, "wide.jpg")
    image = page.get_by_role("img", name="Preview of wide.jpg, opens the full file")
    until(partial(image.evaluate, "i => i.complete && i.naturalWidth === 600"))
    assert image.evaluate("i => i.clientWidth") == 600
    image.click()
    until(lambda: page.url.endswith("/media/wide.jpg"))
    assert page.evaluate("document.images[0].naturalWidth") == 1800
