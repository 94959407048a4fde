from __future__ import annotations

import re
from pathlib import Path

import pytest

from functions.admin import addresses
from functions.admin.addresses import Address

ADMIN = Path(addresses.__file__).parent


@pytest.mark.parametrize(
    ("pattern", "path", "values"),
    [
        ("/a/", "/a/", {}),
        ("/a/", "/a", None),
        ("/a/", "/a/b", None),
        ("/a.b/", "/axb/", None),
        ("/a/{x}/b/{y}", "/a/1/b/2", {"x": "1", "y": "2"}),
        ("/a/{x}/b", "/a/1/2/b", None),
        ("/m/{x:path}", "/m/a/b c.jpg", {"x": "a/b c.jpg"}),
        ("/m/{x:path}", "/m/", {"x": ""}),
        ("/m/{x:path}", "/m/a\nb", {"x": "a\nb"}),
        ("/m/{x:path}", "/n/a", None),
    ],
)
def test_a_path_is_matched_whole(pattern: str, path: str, values: dict[str, str] | None) -> None:
    assert Address(pattern).match(path) == values


@pytest.mark.parametrize(
    ("pattern", "value", "url"),
    [
        ("/a/{x}/b", 7, "/a/7/b"),
        ("/a/{x}/b", "../c", "/a/..%2Fc/b"),
        ("/m/{x:path}", "ü/100% #1?.jpg", "/m/%C3%BC/100%25%20%231%3F.jpg"),
    ],
)
def test_a_value_is_encoded(pattern: str, value: object, url: str) -> None:
    assert Address(pattern).url(x=value) == url


def test_a_url_needs_every_value() -> None:
    with pytest.raises(KeyError, match="row_id"):
        addresses.OBJECT.url()


@pytest.mark.parametrize(
    ("target", "own"),
    [
        ("/admin/", True),
        ("/admin/sync/filesync/?q=a", True),
        ("/media/a.jpg", True),
        ("/media/%C3%BC", True),
        ("", False),
        ("/", False),
        ("/sync/", False),
        ("//example.com", False),
        ("https://example.com/admin/", False),
        ("/admin/\\example.com", False),
        ("/admin/\r\nset-cookie: x=y", False),
        ("/admin/ü", False),
        ("/admin/sync/filesync/?q=//example.com&from=2026-01-01", True),
        ("/admin/../example", False),
        ("/admin/..//example.com", False),
        ("/admin/%2e%2e//example.com", False),
        ("/admin/%2E./example", False),
        ("/media/a..b/...jpg", True),
        ("/%5Cexample.com", False),
        ("/\\example.com", False),
        ("///admin/", False),
        ("%2f%2fexample.com", False),
        ("javascript:alert(1)//admin/", False),
        (" /admin/", False),
        ("/admin/\t/example.com", False),
        ("/admin/login/", False),
        ("/admin/login/?next=/admin/", False),
        ("/admin/logout/", False),
    ],
)
def test_a_redirect_leads_to_own_pages_only(target: str, own: bool) -> None:
    assert addresses.is_own(target) is own


@pytest.mark.parametrize(
    "file",
    [
        *ADMIN.glob("templates/*"),
        *ADMIN.glob("static/*.js"),
        *(file for file in ADMIN.rglob("*.py") if file.name != "addresses.py"),
    ],
    ids=lambda file: f"{file.parent.name}/{file.name}",
)
def test_an_address_is_written_nowhere_else(file: Path) -> None:
    found = re.findall(r"""["'(]/(?:admin|media)\b[^"']*""", file.read_text())
    assert found == []
