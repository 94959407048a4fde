"""The price list, and amounts whose arithmetic shows."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from shared.errors import SettingError

PRICES = Path(__file__).parent / "prices.toml"

_LEAST, _THOUSAND, _MILLION = 0.001, 1_000, 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """The price of one thing.

    Attributes:
        price: US dollars for one unit.
        unit: what a unit is called.
        source: AWS's page with the price.
        date: day on which it was written down.
        per: how many of what is counted one unit has.
    """

    price: float
    unit: str
    source: str
    date: date
    per: int = 1

    @property
    def dollars(self) -> str:
        """Return the price as people write it, without an exponent."""
        short = f"{self.price:.10f}".rstrip("0")
        return max(short, f"{self.price:.2f}", key=len)


@dataclass(frozen=True, slots=True)
class PriceList:
    """The prices of one region.

    Attributes:
        region: its name.
        prices: by name.
    """

    region: str
    prices: Mapping[str, Price]

    @classmethod
    def load(cls, path: Path = PRICES) -> PriceList:
        """Read a price list.

        Raises:
            SettingError: it is missing or invalid.
        """
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
            prices = {name: Price(**entry) for name, entry in document["prices"].items()}
            return cls(document["region"], prices)
        except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
            raise SettingError(f"{path.name}: {type(error).__name__} {error}") from error

    def of(self, name: str, quantity: float) -> Term:
        """Return the amount for a quantity.

        Args:
            name: of the price; the types of servers have prices of their own name.
            quantity: of what is counted, not of the unit.

        Raises:
            SettingError: the list has no such price.
        """
        try:
            price = self.prices[name]
        except KeyError as error:
            raise SettingError(
                f"the price list for {self.region} has no price for {name}"
            ) from error
        return Term(quantity / price.per, price)


@dataclass(frozen=True, slots=True)
class Term:
    """A number of units and their price."""

    units: float
    price: Price

    @property
    def amount(self) -> float:
        """Return US dollars."""
        return self.units * self.price.price

    def __str__(self) -> str:
        """Return the multiplication."""
        return f"{number(self.units)} {self.price.unit} × {self.price.dollars}"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the estimate.

    Attributes:
        name: what is paid for.
        terms: what it is the sum of.
    """

    name: str
    terms: tuple[Term, ...]

    @property
    def amount(self) -> float:
        """Return US dollars for a month, in whole cents, so that a column's sum adds up."""
        return round(sum(term.amount for term in self.terms), 2)

    @property
    def arithmetic(self) -> str:
        """Return how the amount comes about."""
        return " + ".join(str(term) for term in self.terms if term.units)


def line(name: str, *terms: Term) -> Line:
    """Return a line of these terms."""
    return Line(name, terms)


def number(value: float) -> str:
    """Return a number for people.

    ========= =========
    value     text
    ========= =========
    0.00001   0.00001
    0.01234   0.0123
    1.5       1.5
    43800     43,800
    3000000   3M
    ========= =========
    """
    if value >= _MILLION:
        return f"{value / _MILLION:,.4g}M"
    if value >= _THOUSAND:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= _LEAST else f"{value:.5f}".rstrip("0").rstrip(".")
