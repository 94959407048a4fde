"""Requests made from the service's own OpenAPI document, right ones and wrong ones."""

from __future__ import annotations

import json
import urllib.request
from typing import Any
from urllib.parse import urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from shared.http.signing import sign
from tests.faults.harness.arena import Arena, Trial
from tests.faults.harness.caller import Caller
from tests.faults.harness.load import CREATED, Asked
from tests.faults.harness.stack import SECRET

EACH = {"short": 30, "long": 2_500}


class Sender:
    """Sends cases, signed or not, and looks at the answers.

    Args:
        trial: notes what was accepted.
        caller: the connection.
        document: the OpenAPI document.
    """

    def __init__(self, trial: Trial, caller: Caller, document: Any) -> None:
        self._trial = trial
        self._caller = caller
        self._document = document

    def send(self, case: Any, *, signed: bool) -> None:
        """Send one case; its answer must be one that the document names."""
        body = json.dumps(case.body).encode() if isinstance(case.body, dict | list) else b""
        headers = {"Content-Type": "application/json"}
        signature = sign(SECRET.encode(), body)
        if signed:
            headers["Authorization"] = signature
        target = case.formatted_path + (
            "?" + urlencode(case.query, doseq=True) if case.query else ""
        )
        status, _ = self._caller.call(case.method, target, body, headers)
        documented = self._document["paths"][case.path][case.method.lower()]["responses"]
        assert str(status) in documented, (status, case.method, target, body)
        if status == CREATED:
            asked = Asked(case.body["file_name"], body, signature)
            self._trial.promises.accepted[signature] = asked


@pytest.mark.parametrize("mode", GenerationMode)
def test_the_service_answers_as_its_document_says(
    mode: GenerationMode, unlimited: Arena, *, long: bool
) -> None:
    url = f"http://127.0.0.1:{unlimited.stack.port}/openapi.json"
    with urllib.request.urlopen(url, timeout=10) as answer:
        document = json.load(answer)
    each = EACH["long" if long else "short"]
    with (
        unlimited.trial(f"schema, {mode.value} cases", rest_seconds=300.0) as trial,
        Caller(unlimited.stack.port) as caller,
    ):
        sender = Sender(trial, caller, document)
        trial.times = 0
        for result in schemathesis.openapi.from_dict(document).get_all_operations():
            assert isinstance(result, Ok)
            operation = result.ok()
            told = operation.body or operation.query or operation.path_parameters
            if mode is GenerationMode.NEGATIVE and not told:
                continue  # nothing of it can be wrong
            cases = operation.as_strategy(generation_mode=mode)
            send_all(sender, cases, each, unlimited.seed)
            trial.times += 2 * each


def send_all(sender: Sender, cases: Any, count: int, number: int) -> None:
    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases)
    def send(case: Any) -> None:
        for signed in (True, False):
            sender.send(case, signed=signed)

    send()
