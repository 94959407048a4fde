"""What is counted for the costs in the template as it is written, and what CloudFormation makes."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pytest

from local.aws_costs.inventory import COUNTED, SECONDS, Inventory
from local.aws_costs.stack import Stack as Written
from local.aws_costs.stack import read
from local.template import TEMPLATE
from tests.aws.conftest import REGION
from tests.aws.nested import OWN_SERVERS
from tests.aws.stack import Stack

EVERYTHING = {
    "AlarmEmail": "a@example.test",
    "CallbackUrl": "https://client.test/hook",
    "DatabaseMultiAz": "true",
    "ReconcileDays": "7",
    "S3Events": "eventbridge",
}
TRANSFORMED = {
    "AWS::Serverless::Function": "AWS::Lambda::Function",
    "AWS::Serverless::HttpApi": "AWS::ApiGatewayV2::Api",
}
"""What the SAM transform makes of types of its own."""


@pytest.mark.parametrize("given", [{}, EVERYTHING, EVERYTHING | OWN_SERVERS, OWN_SERVERS])
def test_the_same_resources_are_counted(given: dict[str, str], transformed: dict[str, Any]) -> None:
    made = Stack(transformed, {"SourceBucketName": "client-bucket"} | given)
    # The transform leaves nested stacks alone; what is in them is not in it.
    own = dict(read(TEMPLATE))
    nested = {"AWS::CloudFormation::Stack", "AWS::Serverless::Application"}
    own["Resources"] = {k: r for k, r in own["Resources"].items() if r["Type"] not in nested}
    written = Inventory(Written(own, TEMPLATE.parent, given, REGION))
    for kind in COUNTED:
        assert written.count(kind) == len(made.resources(TRANSFORMED.get(kind, kind))), kind


def test_functions_are_those_that_are_deployed(transformed: dict[str, Any]) -> None:
    made = Stack(transformed, {"SourceBucketName": "client-bucket"} | EVERYTHING)
    written = Inventory(Written(read(TEMPLATE), TEMPLATE.parent, EVERYTHING, REGION))
    deployed = {
        function["Handler"].split(".")[1]: function
        for function in made.resources("AWS::Lambda::Function").values()
        if function["Handler"].startswith("functions.")
    }
    assert {function.name for function in written.functions} >= set(deployed)
    for function in written.functions:
        if function.name in deployed:
            memory = deployed[function.name]["MemorySize"]
            assert function.memory_gb == int(memory) / 1024
            assert function.is_traced == (
                deployed[function.name]["TracingConfig"]["Mode"] == "Active"
            )


def test_schedules_are_those_that_are_deployed(transformed: dict[str, Any]) -> None:
    made = Stack(transformed, {"SourceBucketName": "client-bucket"} | EVERYTHING)
    written = Inventory(Written(read(TEMPLATE), TEMPLATE.parent, EVERYTHING, REGION))
    rules = [r for r in made.resources("AWS::Events::Rule").values() if "ScheduleExpression" in r]
    each = {k: len(list(v)) for k, v in groupby(sorted(r["ScheduleExpression"] for r in rules))}
    assert each == {"rate(1 minute)": sum(one.runs > 0 for one in written.functions)}
    assert {one.runs for one in written.functions if one.runs} == {SECONDS / 60}
