from __future__ import annotations

from datetime import UTC, date, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest

from functions.admin.listing import Cursor, Listing, Order
from functions.admin.search import Term
from shared.ledger.rows import State


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
     {"to": "9999-12-31"}, {"after": "%%%"}, {"after": "bnVsbA"}, {"q": " \0 "}, {"type": ""}],
)  # fmt: skip
def test_nonsense_counts_as_not_given(wrong: dict[str, str]) -> None:
    assert Listing.from_query(wrong) == Listing()


@pytest.mark.parametrize(
    ("order", "cursor"),
    [
        (Order.CREATED, Cursor(7)),
        (Order.NAME, Cursor(7, text="ü/日 .jpg")),
        (Order.SIZE, Cursor(7, number=2**40)),
        (Order.SYNCED, Cursor(7, moment=datetime(2026, 1, 2, 3, 4, 5, 678, UTC))),
    ],
)
def test_a_place_survives_a_url_in_its_own_order(order: Order, cursor: Cursor) -> None:
    assert Cursor.decode(cursor.encode(), order) == cursor
    others = {Order.NAME, Order.SIZE, Order.SYNCED} - {order}
    assert all(Cursor.decode(cursor.encode(), other) is None for other in others)


@pytest.mark.parametrize("state", list(State))
def test_a_single_state_is_sorted_by_its_own_index(state: State) -> None:
    expected = Order.SYNCED if state is State.SYNCED else Order.QUEUED
    assert Listing(state=state).order is expected
    assert Listing(state=state, sort=Order.NAME).order is Order.NAME


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
