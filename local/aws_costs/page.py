"""The tables of `docs/deploy.md`, written by `make costs`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

from local.aws_costs.assumptions import Assumptions, Workload
from local.aws_costs.estimate import Estimate, estimate
from local.aws_costs.prices import PriceList
from local.aws_costs.stack import read
from local.template import TEMPLATE

PAGE = Path(__file__).parents[2] / "docs" / "deploy.md"
BEGIN, END = "<!-- written by make costs -->\n", "<!-- end of what make costs writes -->\n"

LARGE = {"DatabaseInstanceClass": "db.m7g.large", "LogLevel": "WARNING"}
SCALES: dict[str, tuple[float, dict[str, str]]] = {
    "10 thousand": (1e4, {}),
    "1 million": (1e6, {}),
    "100 million": (1e8, LARGE),
}
"""Columns of the tables: files a month, and the parameters that so many need."""

PROFILES, QUEUES = ("trial", "production"), ("rabbitmq", "sqs")
EXAMPLE = 1e6

EXISTING = {
    "VpcId": "vpc-1",
    "DatabaseUrlSecretArn": "arn",
    "BrokerArn": "arn",
    "MemcachedAddress": "cache:11211",
}
"""Parameters with which nothing is made that exists; the template need not have all of them."""


def variants() -> list[tuple[str, Workload, dict[str, str]]]:
    """Return what changes the sum: name, work and parameters.

    Raises:
        SettingError: the template cannot be read.
    """
    own = read(TEMPLATE)["Parameters"]
    existing = {name: value for name, value in EXISTING.items() if name in own}
    work = Workload(files=EXAMPLE)
    return [
        ("the defaults", work, {}),
        ("the twelfth month", replace(work, months=12), {}),
        ("objects of 1 MB", replace(work, object_bytes=1_000_000), {}),
        ("scrub never", work, {"ScrubDays": "0"}),
        ("reconcile each week", work, {"ReconcileDays": "7"}),
        ("callbacks", work, {"CallbackUrl": "https://client.example/"}),
        ("S3 events, beside the requests", work, {"S3Events": "eventbridge"}),
        ("existing network and servers", work, existing),
    ]


def command(work: Workload, parameters: dict[str, str]) -> str:
    """Return the command that prints an estimate."""
    words = [f"./sync aws costs --files {work.files:.0f}"]
    default = Workload(files=work.files)
    if work.object_bytes != default.object_bytes:
        words.append(f"--object-bytes {work.object_bytes:.0f}")
    if work.months != default.months:
        words.append(f"--months {work.months:g}")
    words += [f"-p {name}={value}" for name, value in parameters.items()]
    return " ".join(words)


def section() -> str:
    """Return what stands between the marks.

    Raises:
        SettingError: as `estimate`.
    """
    return "\n".join(
        [
            *(line for profile in PROFILES for line in _columns(profile)),
            *_arithmetic(),
            *_variants(),
            *_prices(PriceList.load()),
            *_assumptions(),
        ]
    )


def written(text: str) -> str:
    """Return a page with the section as it is now.

    Raises:
        ValueError: the page lacks a mark.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page lacks {BEGIN.strip()} or {END.strip()}")
    return f"{before}{BEGIN}\n{section()}\n{END}{after}"


def markdown(found: Estimate) -> list[str]:
    """Return an estimate as a table, with its arithmetic."""
    rows = [(one.name, one.arithmetic, f"{one.amount:,.2f}") for one in found.lines]
    return _table(("a month", "", "dollars"), [*rows, ("**sum**", "", f"**{found.total:,.2f}**")])


def _columns(profile: str) -> Iterator[str]:
    found, commands = {}, []
    for queue, (scale, (files, parameters)) in product(QUEUES, SCALES.items()):
        work = Workload(files=files)
        chosen = {"Profile": profile, "Queue": queue} | parameters
        found[f"{queue}, {scale}"] = estimate(work, chosen)
        commands.append(command(work, chosen))
    names = _merged([one.name for one in each.lines] for each in found.values())
    rows = [(name, *(_cell(each.amount(name)) for each in found.values())) for name in names]
    totals = (f"**{each.total:,.2f}**" for each in found.values())
    yield f"### {profile.capitalize()}\n"
    yield from _table(("dollars a month", *found), [*rows, ("**sum**", *totals)])
    yield "\nThe columns' commands, whose output has the arithmetic:\n"
    yield from ("```sh", *commands, "```\n")


def _merged(lists: Iterable[Sequence[str]]) -> list[str]:
    """Return the names of all lists, each behind the one that it follows in its own."""
    merged: list[str] = []
    for names in lists:
        at = 0
        for name in names:
            if name not in merged:
                merged.insert(at, name)
            at = merged.index(name) + 1
    return merged


def _arithmetic() -> Iterator[str]:
    work = Workload(files=EXAMPLE)
    found = estimate(work, {})
    yield f"### The arithmetic\n\n`{command(work, {})}`, all else by default:\n"
    yield from markdown(found)
    yield "\nNot in the sum, in the place of the database and its disk:\n"
    rows = [(one.name, one.arithmetic, f"{one.amount:,.2f}") for one in found.alternative]
    yield from _table(("a month", "", "dollars"), rows)


def _variants() -> Iterator[str]:
    yield "\n### What changes the sum\n"
    rows = [
        (name, f"`{command(work, parameters)}`", f"{estimate(work, parameters).total:,.2f}")
        for name, work, parameters in variants()
    ]
    yield from _table(("1 million files with", "command", "dollars a month"), rows)


def _prices(prices: PriceList) -> Iterator[str]:
    yield f"\n### The prices\n\nOf {prices.region}, from `local/aws_costs/prices.toml`.\n"
    rows = [
        (name, one.dollars, one.unit, one.source, f"{one.date}")
        for name, one in prices.prices.items()
    ]
    yield from _table(("price", "dollars", "for one of", "AWS's page", "written down"), rows)


def _assumptions() -> Iterator[str]:
    yield "\n### What is assumed of the work\n"
    yield "In seconds, bytes or numbers in a month. `--assume NAME=VALUE` changes one.\n"
    yield from _table(("name", "value", "of what"), Assumptions().table())


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def _cell(amount: float | None) -> str:
    return "" if amount is None else f"{amount:,.2f}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
