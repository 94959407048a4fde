from __future__ import annotations

from shared.queue.rabbitmq.confirms import Confirms


def flying(count: int) -> Confirms[str]:
    confirms: Confirms[str] = Confirms()
    for number in range(1, count + 1):
        confirms.sent(f"m{number}")
    return confirms


def test_a_single_confirm_settles_one_message() -> None:
    confirms = flying(3)

    assert confirms.settle(2, multiple=False) == ["m2"]
    assert len(confirms) == 2


def test_a_multiple_confirm_settles_all_up_to_its_tag() -> None:
    confirms = flying(5)

    assert confirms.settle(3, multiple=True) == ["m1", "m2", "m3"]
    assert len(confirms) == 2


def test_a_multiple_confirm_does_not_settle_an_early_single_again() -> None:
    confirms = flying(3)
    confirms.settle(2, multiple=False)

    assert confirms.settle(3, multiple=True) == ["m1", "m3"]


def test_an_unknown_tag_settles_nothing() -> None:
    confirms = flying(1)

    assert confirms.settle(9, multiple=False) == []
    assert len(confirms) == 1


def test_a_lost_connection_takes_all_out_of_flight() -> None:
    confirms = flying(3)
    confirms.settle(1, multiple=False)

    assert confirms.drain() == ["m2", "m3"]
    assert len(confirms) == 0


def test_tags_go_on_counting_after_settling() -> None:
    confirms = flying(2)
    confirms.settle(2, multiple=True)
    confirms.sent("m3")

    assert confirms.settle(3, multiple=False) == ["m3"]
