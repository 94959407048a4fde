from __future__ import annotations

from datetime import UTC, date, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest

from functions.admin.objects.listing import Listing
from functions.admin.objects.sorting import SortOrder


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


def test_a_listing_may_begin_and_end_at_a_moment() -> None:
    listing = Listing.from_query({"from": "2026-11-29T06:15", "to": "2026-11-29T06:30"})
    assert listing.begins == datetime(2026, 11, 29, 6, 15, tzinfo=UTC)
    assert listing.ends == datetime(2026, 11, 29, 6, 30, tzinfo=UTC)
    assert query(listing.url()) == {"from": "2026-11-29T06:15", "to": "2026-11-29T06:30"}
    assert Listing.from_query(query(listing.url())) == listing


@pytest.mark.parametrize(
    "wrong",
    [{"from": "2026-11-29T25:00"}, {"to": "0001-01-01T00:00+23:00"}, {"from": "T"},
     {"state": "x"}, {"sort": "x"}, {"sort": "queued"}, {"from": "2026-99-01"},
     {"to": "9999-12-31"}, {"after": "%%%"}, {"after": "bnVsbA"},
     {"after": "WzEsOSxudWxsLG51bGwsbnVsbF0"}, {"q": " \0 "}, {"type": ""}],
)  # fmt: skip
def test_an_invalid_parameter_counts_as_not_given(wrong: dict[str, str]) -> None:
    assert Listing.from_query(wrong) == Listing()


def test_a_second_click_reverses_the_sort_order() -> None:
    first = Listing.from_query(query(Listing().sorted_by("size")))
    assert (first.sort, first.descending) == (SortOrder.SIZE, True)
    second = Listing.from_query(query(first.sorted_by("size")))
    assert (second.sort, second.descending) == (SortOrder.SIZE, False)
