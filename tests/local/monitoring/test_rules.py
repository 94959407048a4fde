from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest
import yaml

from local.servers.errors import ProgramMissing
from local.servers.programs import find
from shared.metrics.catalog import ALL, Kind
from tests.helpers.missing import missing
from tests.helpers.paths import ROOT

FOLDER = ROOT / "local" / "monitoring"
ALERTS = re.split(
    r"^## ",
    (ROOT / "docs" / "operations.md").read_text().partition("## Alerts\n")[2],
    flags=re.MULTILINE,
)[0]
RULES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"][0][
    "rules"
]
TESTS: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts_test.yml").read_text())["tests"]
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
TARGETS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
LABELS = {"le", "job", "instance", *(label for metric in ALL for label in metric.labels)}


def series() -> set[str]:
    """Return the names of all series that a scrape brings."""
    names = {"up"}
    for metric in ALL:
        histogram = metric.kind is Kind.HISTOGRAM
        suffixes = ("_bucket", "_sum", "_count") if histogram else ("",)
        names |= {metric.name + suffix for suffix in suffixes}
    return names


def named(expression: str) -> set[str]:
    """Return the series that an expression names."""
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\b(?:by|without|on) ?\([^)]*\)", "", expression)
    return set(re.findall(r"\b(?:up|sync_\w+)\b", bare))


def promtool(*arguments: str) -> None:
    try:
        program = find("promtool", "prometheus")
    except ProgramMissing as error:
        missing(error.about)
    done = subprocess.run(
        [program, *arguments], cwd=FOLDER, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_configuration_and_rules_are_prometheus_s_own() -> None:
    promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", "alerts.yml")


def test_every_alert_fires_and_clears() -> None:
    promtool("test", "rules", "alerts_test.yml")
    for rule in RULES:
        (test,) = [test for test in TESTS if test["name"] == rule["alert"]]
        fires, clears = test["alert_rule_test"]
        assert {fires["alertname"], clears["alertname"]} == {rule["alert"]}
        assert len(fires["exp_alerts"]) == 1
        assert "exp_alerts" not in clears


@pytest.mark.parametrize("expression", [*(rule["expr"] for rule in RULES), *TARGETS])
def test_every_expression_asks_for_what_there_is(expression: str) -> None:
    assert named(expression)
    assert named(expression) <= series()
    labels = re.findall(r"(\w+)(?:=~?|!=|!~)\"", expression)
    groups = re.findall(r"\b(?:by|without) ?\(([^)]*)\)", expression)
    labels += [label.strip() for group in groups for label in group.split(",")]
    assert set(labels) <= LABELS


@pytest.mark.parametrize("expression", TARGETS)
def test_every_expression_of_the_dashboard_can_be_read(expression: str, tmp_path: Any) -> None:
    file = tmp_path / "rules.yml"
    rule = {"record": "x", "expr": expression.replace("$__rate_interval", "1m")}
    file.write_text(yaml.safe_dump({"groups": [{"name": "x", "rules": [rule]}]}))
    promtool("check", "rules", str(file))


def test_the_dashboard_shows_every_metric() -> None:
    shown = {name for expression in TARGETS for name in named(expression)}
    assert {m.name for m in ALL} <= {re.sub(r"_bucket$", "", name) for name in shown}


def test_no_panels_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        grid = panel["gridPos"]
        cells = {(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])}
        assert not cells & taken
        assert grid["x"] + grid["w"] <= 24
        taken |= cells


def test_every_alert_has_its_paragraph() -> None:
    headings = re.findall(r"^### (\w+)\n\n(.+)$", ALERTS, re.MULTILINE)
    assert [name for name, _ in headings] == [rule["alert"] for rule in RULES]
    for rule in RULES:
        link = f"docs/operations.md#{rule['alert'].lower()}"
        assert rule["annotations"]["runbook_url"] == link


def test_the_table_of_metrics_is_the_catalog_s() -> None:
    rows = [
        f"| `{m.name}` | {m.kind} | {', '.join(f'`{label}`' for label in m.labels)} | {m.help} |"
        for m in ALL
    ]
    page = (ROOT / "docs" / "metrics.md").read_text()
    assert re.findall(r"^\| `.*$", page, re.MULTILINE) == rows
