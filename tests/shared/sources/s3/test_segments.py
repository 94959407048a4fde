from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.sources.s3.segments import Segments


def test_segments_are_handed_out_lowest_first_and_cover_the_object() -> None:
    ranges = Segments(25, segment=10)
    assert [ranges.take() for _ in range(4)] == [(0, 10), (10, 20), (20, 25), None]


def test_what_is_missing_of_a_segment_is_handed_out_again_before_new_ones() -> None:
    ranges = Segments(30, segment=10)
    ranges.take()
    ranges.fill(0, 4)
    ranges.give_back(0)
    assert not ranges.exhausted
    assert ranges.take() == (4, 10)
    assert ranges.take() == (10, 20)


def test_a_stream_goes_on_only_where_nobody_else_has_begun() -> None:
    ranges = Segments(30, segment=10)
    ranges.take()
    assert ranges.take_at(10) == (10, 20)
    ranges.take()
    assert ranges.take_at(20) is None


def test_an_object_continued_at_its_start_is_there_up_to_it() -> None:
    assert Segments(30, start=17, segment=10).frontier == 17


@settings(deadline=None)  # a busy machine is no failure
@given(st.data(), st.integers(0, 200), st.integers(1, 50))
def test_the_frontier_is_the_first_byte_that_is_missing(
    data: st.DataObject, size: int, segment: int
) -> None:
    ranges = Segments(size, segment=segment)
    there: set[int] = set()
    held: dict[int, tuple[int, int]] = {}
    for _ in range(data.draw(st.integers(0, 40))):
        action = data.draw(st.sampled_from(["take", "fill", "give back"]))
        if action == "take":
            taken = ranges.take()
            if taken is not None:
                held[taken[0]] = (taken[0], taken[1])
        elif held:
            first = data.draw(st.sampled_from(sorted(held)))
            position, end = held[first]
            if action == "give back":
                ranges.give_back(first)
                del held[first]
                continue
            reached = data.draw(st.integers(position, end))
            there |= set(range(position, reached))
            ranges.fill(first, reached)
            held[first] = (reached, end)
            if reached == end:
                del held[first]
    missing = [n for n in range(size) if n not in there]
    assert ranges.frontier == (missing[0] if missing else size)
