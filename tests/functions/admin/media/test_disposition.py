from __future__ import annotations

import pytest

from functions.admin.media.disposition import SANDBOX, content_disposition, treatment


@pytest.mark.parametrize(
    ("file_type", "sent", "inline", "preview"),
    [
        ("image/jpeg", "image/jpeg", True, "image"),
        ("IMAGE/PNG; x=y", "image/png", True, "image"),
        ("image/svg+xml", "image/svg+xml", False, "image"),
        ("video/mp4", "video/mp4", True, "video"),
        ("video/x+xml", "video/x+xml", False, "text"),
        ("audio/ogg", "audio/ogg", True, "audio"),
        ("application/pdf", "application/pdf", True, "pdf"),
        ("text/markdown", "text/plain; charset=utf-8", True, "text"),
        ("text/html", "text/html", False, "text"),
        ("text/html; charset=latin-1", "text/html", False, "text"),
        ("application/xhtml+xml", "application/xhtml+xml", False, "text"),
        ("text/xml", "text/xml", False, "text"),
        ("application/rss+xml", "application/rss+xml", False, "text"),
        ("application/javascript", "application/javascript", False, "text"),
        ("text/javascript", "text/plain; charset=utf-8", True, "text"),
        ("text/csv; charset=ISO-8859-1", "text/plain; charset=iso-8859-1", True, "text"),
        ('text/plain; a=b; charset="Shift_JIS"', "text/plain; charset=shift_jis", True, "text"),
        ("text/plain; charset=rot13", "text/plain; charset=utf-8", True, "text"),
        ("text/plain; charset=a\r\nb", "text/plain; charset=utf-8", True, "text"),
        ("application/json", "text/plain; charset=utf-8", True, "json"),
        ("application/geo+json", "text/plain; charset=utf-8", True, "json"),
        ("application/zip", "application/zip", False, ""),
        ("nonsense", "application/octet-stream", False, ""),
        ("a/b\r\nx: y", "application/octet-stream", False, ""),
    ],
)
def test_only_what_cannot_run_is_shown(
    file_type: str,
    sent: str,
    inline: bool,
    preview: str,
) -> None:
    how = treatment(file_type)
    assert (how.content_type, how.inline, how.preview) == (sent, inline, preview)
    assert "default-src 'none'" in how.policy
    assert "script" not in how.policy
    assert how.policy.startswith(SANDBOX) or preview in {"pdf", "video", "audio"}
    assert how.policy == SANDBOX or inline or file_type == "image/svg+xml"


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a/b.jpg", "inline; filename=\"b.jpg\"; filename*=UTF-8''b.jpg"),
        ('a"b\\c%.x', "inline; filename=\"a_b_c_.x\"; filename*=UTF-8''a%22b%5Cc%25.x"),
        ("ü 1.jpg", "inline; filename=\"_ 1.jpg\"; filename*=UTF-8''%C3%BC%201.jpg"),
        ("a\r\nb", "inline; filename=\"a__b\"; filename*=UTF-8''a%0D%0Ab"),
    ],
)
def test_a_name_cannot_leave_its_header(name: str, header: str) -> None:
    assert content_disposition(name, inline=True) == header
    assert content_disposition(name, inline=False).startswith("attachment; ")
