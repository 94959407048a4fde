from __future__ import annotations

import pytest

from functions.admin.web.characters import visible, visible_text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a.jpg", "a.jpg"),
        ("a b/c d.jpg", "a b/c d.jpg"),
        ("Höhenweg-日の出-café.jpg", "Höhenweg-日の出-café.jpg"),
        ("cafe\N{COMBINING ACUTE ACCENT}.jpg", "cafe\N{COMBINING ACUTE ACCENT}.jpg"),
        ("\N{ARABIC LETTER ALEF}.jpg", "\N{ARABIC LETTER ALEF}.jpg"),
        ("invoice\u202egpj.exe", "invoice[U+202E]gpj.exe"),
        ("a\u200bb\ufeffc\u2066d\u2069", "a[U+200B]b[U+FEFF]c[U+2066]d[U+2069]"),
        ("a\u00adb", "a[U+00AD]b"),
        ("a\tb\x1b[31m\x7f", "a[U+0009]b[U+001B][31m[U+007F]"),
        ("a\u00a0b\u3000", "a[U+00A0]b[U+3000]"),
        ("\u3164\u2800\u034f", "[U+3164][U+2800][U+034F]"),
        ("\N{BLACK HEART SUIT}\ufe0f", "\N{BLACK HEART SUIT}[U+FE0F]"),
        ("a\U000e0041", "a[U+E0041]"),
        ("trailing  ", "trailing[U+0020][U+0020]"),
        (" leading", "[U+0020]leading"),
        ("a /b/ c", "a[U+0020]/b/[U+0020]c"),
        ("\udc80", "[U+DC80]"),
        ("\ue000", "[U+E000]"),
        ("", ""),
    ],
)
def test_what_cannot_be_seen_is_shown_by_its_code_point(name: str, shown: str) -> None:
    assert visible_text(name) == shown
    assert visible(name).striptags() == shown


def test_html_is_escaped_and_characters_are_named() -> None:
    assert visible("<b>\u202e&") == (
        '&lt;b&gt;<span class="code-point" title="Right-to-left override">[U+202E]</span>&amp;'
    )
