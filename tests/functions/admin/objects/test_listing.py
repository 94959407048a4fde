from __future__ import annotations

from datetime import UTC, date, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest

from functions.admin.objects.listing import Listing
from functions.admin.objects.search import Term
from functions.admin.objects.sorting import Order


def query(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


def test_a_listing_survives_its_own_url() -> None:
    listing = Listing.from_query(
        {"q": "a b&c", "state": "failed", "type": "image/png", "from": "2026-01-02",
         "to": "2026-02-03", "sort": "name", "dir": "asc"}
    )  # fmt: skip
    assert Listing.from_query(query(listing.url())) == listing
    assert listing.first_day == date(2026, 1, 2)
    assert listing.ends == datetime(2026, 2, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    "wrong",
    [{"state": "x"}, {"sort": "x"}, {"sort": "queued"}, {"from": "2026-99-01"},
     {"to": "9999-12-31"}, {"after": "%%%"}, {"after": "bnVsbA"},
     {"after": "WzEsOSxudWxsLG51bGwsbnVsbF0"}, {"q": " \0 "}, {"type": ""}],
)  # fmt: skip
def test_nonsense_counts_as_not_given(wrong: dict[str, str]) -> None:
    assert Listing.from_query(wrong) == Listing()


def test_a_second_click_turns_the_order_round() -> None:
    first = Listing.from_query(query(Listing().sorted_by("size")))
    assert (first.sort, first.descending) == (Order.SIZE, True)
    second = Listing.from_query(query(first.sorted_by("size")))
    assert (second.sort, second.descending) == (Order.SIZE, False)


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("  ", None),
        ("a_b%c\\", Term("a_b%c\\", "a\\_b\\%c\\\\%", None, None, None)),
        ("42", Term("42", "42%", None, None, 42)),
        ("9" * 19, Term("9" * 19, "9" * 19 + "%", bytes.fromhex("9" * 19 + "0" * 45),
                        bytes.fromhex("9" * 19 + "f" * 45), None)),
        ("0A1b2c3", Term("0A1b2c3", "0A1b2c3%", None, None, None)),
    ],
)  # fmt: skip
def test_a_search_text_is_read_in_every_way_it_can_be_meant(text: str, term: Term | None) -> None:
    assert Term.parse(text) == term
