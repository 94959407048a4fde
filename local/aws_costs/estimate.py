"""An estimate of what a stack costs in a month."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.aws_costs.assumptions import Assumptions, Workload
from local.aws_costs.inventory import HOURS, SECONDS, Inventory
from local.aws_costs.lines import disk_gib, lines
from local.aws_costs.prices import Line, PriceList, line
from local.aws_costs.stack import Stack, read
from local.aws_costs.usage import Usage
from local.template import TEMPLATE

LEAST_ACU = 0.5
"""Capacity of an Aurora Serverless v2 instance that is awake, at least."""

WRITES, READS = 4, 2
"""I/Os of Aurora's storage for a file: it counts log records in pieces of 4 KiB, and pages that are
not in memory."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a month costs.

    Attributes:
        region: whose prices it is of.
        parameters: the stack's, those that are not the template's defaults.
        work: what it is paid for.
        lines: the sum's parts.
        alternative: lines that would replace the database's, and are not in the sum.
        notes: what does not fit.
    """

    region: str
    parameters: Mapping[str, str]
    work: Workload
    lines: list[Line]
    alternative: list[Line]
    notes: list[str]

    @property
    def total(self) -> float:
        """Return US dollars."""
        return round(sum(one.amount for one in self.lines), 2)

    def amount(self, name: str) -> float | None:
        """Return a line's amount, None if there is no such line."""
        return next((one.amount for one in self.lines if one.name == name), None)

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "region": self.region,
            "parameters": dict(self.parameters),
            "files": self.work.files,
            "object_bytes": self.work.object_bytes,
            "months": self.work.months,
            "lines": [_entry(one) for one in self.lines],
            "total": self.total,
            "alternative": [_entry(one) for one in self.alternative],
            "notes": self.notes,
        }


def estimate(
    work: Workload,
    parameters: Mapping[str, str],
    assumed: Assumptions | None = None,
    prices: PriceList | None = None,
) -> Estimate:
    """Estimate a month.

    Args:
        work: how much is copied.
        parameters: of the stack, where they differ from the template's defaults.
        assumed: of the work.
        prices: of the stack's region.

    Raises:
        SettingError: the template or the price list cannot be read, or lacks a price.
        ValueError: a parameter is unknown, or has a value that is not allowed.
    """
    assumed, prices = assumed or Assumptions(), prices or PriceList.load()
    stack = Stack(read(TEMPLATE), TEMPLATE.parent, parameters, prices.region)
    inventory = Inventory(stack)
    is_sqs = stack.parameters["Queue"] == "sqs"
    usage = Usage(inventory, work, assumed, sqs=is_sqs, options=stack.parameters)
    return Estimate(
        prices.region,
        parameters,
        work,
        lines(inventory, usage, work, assumed, prices),
        _aurora(work, assumed, prices),
        _notes(inventory, usage, work, assumed),
    )


def _aurora(work: Workload, assumed: Assumptions, prices: PriceList) -> list[Line]:
    stored = work.stored * assumed.row_bytes
    return [
        line("Aurora Serverless v2, awake", prices.of("aurora_acu", LEAST_ACU * HOURS)),
        line("its storage", prices.of("aurora_storage", stored)),
        line("its I/Os", prices.of("aurora_io", work.files * (WRITES + READS))),
    ]


def _notes(inventory: Inventory, usage: Usage, work: Workload, assumed: Assumptions) -> list[str]:
    found = [f"not counted: {kind}" for kind in inventory.unknown]
    for function, runs in usage.functions:
        if function.name == "sync_worker" and not usage.sqs and runs.seconds > SECONDS:
            months = runs.seconds / SECONDS
            found.append(
                f"copying one month's files takes one event source mapping {months:.2g} months"
            )
        if function.name == "scrub" and runs.seconds > SECONDS:
            found.append("scrub cannot read every file within ScrubDays")
    for database in inventory.of("AWS::RDS::DBInstance"):
        most = float(database.get("MaxAllocatedStorage", math.inf))
        if (disk := disk_gib(database, work, assumed)) > most:
            found.append(f"the ledger needs {disk:,.0f} GiB: raise DatabaseStorageMaxGiB")
    return found


def _entry(one: Line) -> dict[str, Any]:
    return {"name": one.name, "arithmetic": one.arithmetic, "amount": one.amount}
