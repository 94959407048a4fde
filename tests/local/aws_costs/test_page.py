from __future__ import annotations

import re
import shlex

import pytest
from typer.testing import CliRunner

from local.aws_costs.page import BEGIN, END, PAGE, command, variants, written
from local.cli import app

TEXT = PAGE.read_text(encoding="utf-8")


def tables() -> list[list[list[str]]]:
    """Return the tables of amounts for each number of files, as rows of cells."""
    found = re.findall(r"^\| dollars a month \|.*?\n\n", TEXT, re.DOTALL | re.MULTILINE)
    return [
        [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in table.splitlines()]
        for table in (one.strip() for one in found)
    ]


def total(text: str) -> str:
    """Return the sum that a documented command prints."""
    program, *arguments = shlex.split(text)
    assert program == "./sync"
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    [found] = re.findall(r"^sum +([\d,.]+)$", done.output, re.MULTILINE)
    return str(found)


def test_the_page_is_up_to_date() -> None:
    assert written(TEXT) == TEXT, "run make costs"


def test_the_columns_add_up() -> None:
    assert len(tables()) == 2
    for head, _, *rows in tables():
        for number in range(1, len(head)):
            *parts, last = (float(row[number].replace(",", "") or 0) for row in rows)
            assert round(sum(parts), 2) == last


def test_each_column_is_what_its_command_prints() -> None:
    blocks = re.findall(r"has the arithmetic:\n\n```sh\n(.*?)```", TEXT, re.DOTALL)
    assert len(blocks) == 2
    for block, (*_, sums) in zip(blocks, tables(), strict=True):
        assert [total(line) for line in block.splitlines()] == sums[1:]


def test_each_variant_is_what_its_command_prints() -> None:
    row = r"^\| [^|]+ \| `(\./sync aws costs .*?)` \| ([\d,.]+) \|$"
    rows = re.findall(row, TEXT, re.MULTILINE)
    assert [text for text, _ in rows] == [command(*one[1:]) for one in variants()]
    assert [total(text) for text, _ in rows] == [amount for _, amount in rows]


def test_what_is_around_the_tables_stays() -> None:
    page = f"before\n{BEGIN}old\n{END}after\n"
    changed = written(page)
    assert changed.startswith(f"before\n{BEGIN}")
    assert changed.endswith(f"{END}after\n")
    assert "old\n" not in changed


@pytest.mark.parametrize("page", ["", BEGIN, END])
def test_a_page_without_the_marks_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="make costs"):
        written(page)
