from __future__ import annotations

import json
import re
from pathlib import Path

from local.aws_costs.prices import PRICES
from tests.local.commands.conftest import Sync


def test_it_shows_the_arithmetic_and_the_sum(sync: Sync) -> None:
    done = sync("aws", "costs", "--files", "1000000")
    assert done.code == 0
    line = r"^ingest +0\.60 +30,000 GB-s × 0\.0000133334 \+ 1 M calls × 0\.20$"
    assert re.search(line, done.out, re.MULTILINE)
    assert re.search(r"^sum +[\d,.]+\n\ninstead of the database", done.out, re.MULTILINE)


def test_options_change_the_sum(sync: Sync) -> None:
    def total(*arguments: str) -> float:
        found = json.loads(sync("aws", "costs", "--files", "1000000", "--json", *arguments).out)
        return float(found["total"])

    plain = total()
    assert total("--months", "12") > plain
    assert total("--object-bytes", "1000") < plain
    assert total("-p", "ReconcileDays=1") > plain
    assert total("--assume", "stats_requests=0") < plain


def test_a_price_list_can_be_given(sync: Sync, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere.toml"
    file.write_text(PRICES.read_text().replace('region = "eu-west-1"', 'region = "mars-1"'))
    found = json.loads(sync("aws", "costs", "--files", "1", "--json", "--prices", str(file)).out)
    assert found["region"] == "mars-1"


def test_what_does_not_fit_is_printed(sync: Sync) -> None:
    done = sync("aws", "costs", "--files", "100000000", "--months", "12")
    assert "note: the ledger needs" in done.out


def test_invalid_usage_says_what_is_wrong(sync: Sync) -> None:
    for arguments, text in (
        (("-p", "LogLevel"), "expected NAME=VALUE, found LogLevel"),
        (("-p", "Level=INFO"), "no parameter Level"),
        (("-p", "LogLevel=LOUD"), "LogLevel must be one of DEBUG, INFO"),
        (("--assume", "speed=1"), "there is no assumption named speed"),
        (("--files", "-1"), "Invalid value for '--files'"),
    ):
        done = sync("aws", "costs", "--files", "1", *arguments)
        assert done.code == 2
        assert text in " ".join(done.err.split()), done.err
    missing = sync("aws", "costs", "--files", "1", "--prices", "none.toml")
    assert (missing.code, missing.err.count("\n")) == (1, 1)


def test_a_server_without_a_price_is_an_error_of_one_line(sync: Sync) -> None:
    done = sync("aws", "costs", "--files", "1", "-p", "DatabaseInstanceClass=db.huge")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "no price for db.huge" in done.err
