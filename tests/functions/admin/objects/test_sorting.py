from __future__ import annotations

from datetime import UTC, datetime

import pytest

from functions.admin.objects.sorting import Cursor, Part, SortOrder, parts
from shared.ledger.rows import State

PLACES = [
    (SortOrder.CREATED, Cursor(7)),
    (SortOrder.NAME, Cursor(7, text="ü/日 .jpg")),
    (SortOrder.SIZE, Cursor(7, number=2**40)),
    (SortOrder.SYNCED, Cursor(7, moment=datetime(2026, 1, 2, 3, 4, 5, 678, UTC))),
]


@pytest.mark.parametrize(("order", "cursor"), PLACES)
def test_a_place_survives_a_url_in_its_own_order(order: SortOrder, cursor: Cursor) -> None:
    assert Cursor.decode(cursor.encode(), [Part(order)]) == cursor
    others = {SortOrder.NAME, SortOrder.SIZE, SortOrder.SYNCED} - {order}
    assert all(Cursor.decode(cursor.encode(), [Part(other)]) is None for other in others)


def test_a_place_belongs_to_its_part_of_the_list() -> None:
    second = Cursor(7, 1, number=3)
    assert Cursor.decode(second.encode(), [Part(SortOrder.NAME), Part(SortOrder.SIZE)]) == second
    assert Cursor.decode(second.encode(), [Part(SortOrder.SIZE), Part(SortOrder.NAME)]) is None
    assert Cursor.decode(second.encode(), [Part(SortOrder.SIZE)]) is None


@pytest.mark.parametrize("state", list(State))
def test_a_single_state_is_sorted_by_its_own_index(state: State) -> None:
    expected = SortOrder.SYNCED if state is State.SYNCED else SortOrder.QUEUED
    assert parts(SortOrder.CREATED, state, descending=True) == (Part(expected, state),)
    assert parts(SortOrder.NAME, state, descending=True) == (Part(SortOrder.NAME, state),)


def test_what_has_no_size_stands_last_in_either_direction() -> None:
    for descending in (True, False):
        first, *rest = parts(SortOrder.SIZE, None, descending=descending)
        assert first == Part(SortOrder.SIZE, State.SYNCED)
        assert {part.state for part in rest} == set(State) - {State.SYNCED}
    assert parts(SortOrder.SIZE, State.FAILED, descending=True) == (
        Part(SortOrder.QUEUED, State.FAILED),
    )
