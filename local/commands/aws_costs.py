"""What a stack on AWS costs: `./sync aws costs`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from local.commands import output
from local.commands.output import Json

app = typer.Typer()


def _pairs(texts: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    if wrong := [name for name, equals, _ in pairs if not equals]:
        raise typer.BadParameter(f"expected NAME=VALUE, found {wrong[0]}")
    return {name: value for name, _, value in pairs}


@app.command(
    epilog="Example: ./sync aws costs --files 1000000 --object-bytes 250000 -p DatabaseMultiAz=true"
)
def costs(
    *,
    files: Annotated[float, typer.Option(min=0, help="Files in a month.")] = 1_000_000,
    object_bytes: Annotated[float, typer.Option(min=0, help="Mean size of an object.")] = 100_000,
    months: Annotated[
        float,
        typer.Option(
            min=0, help="Estimate this month, with the files of all months so far in storage."
        ),
    ] = 1,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "--parameter",
            "-p",
            metavar="NAME=VALUE",
            help="A parameter of template.yaml; repeatable.",
        ),
    ] = None,
    assume: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Change an assumption about the workload; docs/deploy.md lists them. Repeatable.",
        ),
    ] = None,
    prices: Annotated[
        Path | None, typer.Option(help="A price list, such as another region's.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Estimate what the stack of template.yaml costs in a month, and show the arithmetic.

    The prices are assumptions: compare them with AWS's price list.
    """
    from local.aws_costs.assumptions import Assumptions, Workload
    from local.aws_costs.estimate import estimate
    from local.aws_costs.prices import PRICES, PriceList

    work = Workload(files=files, object_bytes=object_bytes, months=months)
    try:
        assumed = Assumptions().replaced(_pairs(assume or []))
        price_list = PriceList.load(prices or PRICES)
        found = estimate(work, _pairs(parameter or []), assumed, price_list)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if as_json:
        output.print_json(found.document())
        return
    for line in (*found.lines, None, *found.alternative):
        if line is None:
            typer.echo(f"{'sum':28}{found.total:>12,.2f}\n\ninstead of the database and its disk:")
        else:
            typer.echo(f"{line.name:28}{line.amount:>12,.2f}  {line.arithmetic}")
    for note in found.notes:
        typer.echo(f"note: {note}")
