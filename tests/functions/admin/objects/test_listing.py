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


@pytest.mark.parametrize(
    "wrong",
    [{"state": "x"}, {"sort": "x"}, {"sort": "queued"}, {"from": "2026-99-01"},
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
