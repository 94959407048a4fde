"""The cost estimate of docs/deploy.md: sums that add up, amounts that follow from the prices."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal

import pytest

from tests.helpers.paths import ROOT

PAGE = (ROOT / "docs" / "deploy.md").read_text()
CENT = Decimal("0.01")
HOURS, SECONDS = Decimal(730), Decimal(2_628_000)
GB_SECOND, MILLION_CALLS = Decimal("0.0000133"), Decimal("0.20")
LOGS, TRACES, DISK = Decimal("0.57"), Decimal("5.00"), Decimal("0.127")


def rows() -> dict[str, list[Decimal]]:
    """Return the table's rows by the first words of their names, with each cell's amount."""
    [table] = re.findall(r"\| a month \|.*?\n\n", PAGE, re.DOTALL)
    found = {}
    for line in table.strip().splitlines()[2:]:
        name, *cells = [cell.strip(" *") for cell in line.strip("|").split("|")]
        amounts = [re.findall(r"[\d,]+\.\d\d$", cell) for cell in cells]
        found[name] = [Decimal(amount.replace(",", "")) for [amount] in amounts]
    return found


def compute(gb_seconds: Decimal, millions: Decimal) -> Decimal:
    return gb_seconds * GB_SECOND + millions * MILLION_CALLS


def dollars(*amounts: Decimal | float | str) -> list[Decimal]:
    return [Decimal(a).quantize(CENT, ROUND_HALF_UP) for a in amounts]


def by_files(each_million: str) -> list[Decimal]:
    price = Decimal(each_million)
    return dollars(price / 100, price, price * 100)


def test_the_sums_are_the_sums_of_their_columns() -> None:
    table = rows()
    parts = [v for k, v in table.items() if not k.startswith(("sum", "kept"))]
    assert [sum(column) for column in zip(*parts, strict=True)] == table["sum"]


million = Decimal(1)
WORKER = Decimal("0.51") * 2 * 1_000_000
AMOUNTS = {
    "ingest": [compute(Decimal(30_000) * m, m) for m in (million / 100, million, million * 100)],
    "worker": [
        compute(WORKER / 100, million / 100),
        compute(WORKER, million),
        compute(SECONDS * 2, Decimal("3.2")),
    ],
    "requeue": [compute(43_800 * Decimal("0.05"), Decimal("0.0438"))] * 3,
    "logs": [LOGS * gb for gb in (Decimal("0.12"), Decimal("2.1"), Decimal(80))],
    "traces": [TRACES * m for m in (Decimal("0.0638"), Decimal("2.0438"), Decimal("10.24"))],
    "database's hours": [
        HOURS * Decimal("0.035"),
        HOURS * Decimal("0.035"),
        HOURS * 2 * Decimal("0.186"),
    ],
    "its disk": [20 * DISK, 20 * DISK, 200 * DISK],
    "broker": [HOURS * Decimal("0.13"), HOURS * Decimal("0.13"), HOURS * 3 * Decimal("0.26")],
    "cache": [HOURS * Decimal("0.017")] * 3,
    "NAT": [HOURS * Decimal("0.053")] * 3,
    "secrets": [7 * Decimal("0.40") + 9 * Decimal("0.10") + 4 * Decimal("0.30")] * 3,
}


@pytest.mark.parametrize("row", AMOUNTS)
def test_an_amount_follows_from_its_price(row: str) -> None:
    [written] = [v for k, v in rows().items() if k.startswith(row)]
    assert written == pytest.approx(dollars(*AMOUNTS[row]), abs=CENT * 2)


@pytest.mark.parametrize(
    ("row", "price"), [("HTTP API", "1.11"), ("S3 GET", "0.40"), ("EFS writes", "7.00")]
)
def test_an_amount_grows_with_the_files(row: str, price: str) -> None:
    assert rows()[row] == by_files(price)


def test_what_is_kept_costs_its_storage_and_its_backup() -> None:
    [kept] = [v for k, v in rows().items() if k.startswith("kept")]
    assert kept == dollars("0.385", "38.50", "3850")
