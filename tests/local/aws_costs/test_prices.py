from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from local.aws_costs.prices import PRICES, Price, PriceList, line, number
from shared.errors import SettingError


def price(**changes: object) -> Price:
    found = {"price": 0.2, "unit": "M calls", "source": "a page", "date": date(2026, 11, 29)}
    return Price(**(found | changes))  # type: ignore[arg-type]


def prices() -> PriceList:
    calls, hours = price(per=1_000_000), price(price=0.0000133334, unit="GB-s")
    return PriceList("eu-west-1", {"calls": calls, "time": hours})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.00001, "0.00001"),
        (0.01234, "0.0123"),
        (1.5, "1.5"),
        (43_800, "43,800"),
        (3e6, "3M"),
        (102_400_000, "102.4M"),
    ],
)
def test_a_number_is_short(value: float, text: str) -> None:
    assert number(value) == text


def test_an_amount_is_what_its_arithmetic_says() -> None:
    found = prices()
    made = line("worker", found.of("time", 3_000_000), found.of("calls", 1_000_000))
    assert made.arithmetic == "3M GB-s × 0.0000133334 + 1 M calls × 0.20"
    assert made.amount == 40.2


def test_an_amount_has_whole_cents() -> None:
    assert line("a", prices().of("calls", 12_345)).amount == 0.0
    assert line("a", prices().of("calls", 123_456)).amount == 0.02


def test_a_part_without_a_quantity_is_left_out_of_the_arithmetic() -> None:
    found = prices()
    assert line("a", found.of("time", 0), found.of("calls", 1_000_000)).arithmetic == (
        "1 M calls × 0.20"
    )


def test_a_price_that_is_missing_is_named() -> None:
    with pytest.raises(SettingError, match=r"for eu-west-1 has no price for db\.huge"):
        prices().of("db.huge", 1)


def test_every_price_of_the_list_has_a_source_and_a_date() -> None:
    found = PriceList.load()
    assert found.region == "eu-west-1"
    for one in found.prices.values():
        assert one.price > 0
        assert "pricing" in one.source
        assert one.date >= date(2026, 1, 1)


def test_the_list_has_no_price_that_nothing_is_paid_with() -> None:
    sources = "".join(file.read_text() for file in PRICES.parent.glob("*.py"))
    for name in PriceList.load().prices:
        is_server = re.match(r"(db|mq|cache)\.", name)
        assert is_server or name.startswith("lambda_") or f'"{name}"' in sources, name


@pytest.mark.parametrize(
    "text", ["", "region = 1", "[prices.a]\nprice = 1", "region = 'r'\n[prices.a]\nprize = 1"]
)
def test_an_invalid_list_is_named(text: str, tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text(text)
    with pytest.raises(SettingError, match=r"other\.toml"):
        PriceList.load(file)


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"none\.toml"):
        PriceList.load(tmp_path / "none.toml")
