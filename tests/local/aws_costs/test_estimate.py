from __future__ import annotations

from typing import Any

import pytest

from local.aws_costs.assumptions import Workload
from local.aws_costs.estimate import estimate
from shared.errors import SettingError

MILLION = Workload(files=1e6)
OWN: dict[str, Any] = {"Parameters": {"DatabaseMultiAz": {}, "BrokerArn": {}}}


def test_the_sum_is_the_sum_of_its_lines() -> None:
    found = estimate(MILLION, {})
    assert found.total == round(sum(one.amount for one in found.lines), 2)
    assert found.amount("ingest") == 0.60
    assert found.amount("nothing") is None


def test_every_function_has_a_line() -> None:
    everything = {"CallbackUrl": "https://a.test/", "S3Events": "eventbridge"}
    names = {one.name for one in estimate(MILLION, everything).lines}
    assert names >= {"ingest", "stats", "admin", "sync_worker", "requeue", "scrub", "reconcile"}
    assert names >= {"s3_events", "notify", "migrate"}


def test_sqs_has_no_broker_and_requests_in_its_place() -> None:
    rabbitmq, sqs = (estimate(MILLION, {"Queue": queue}) for queue in ("rabbitmq", "sqs"))
    assert rabbitmq.amount("broker")
    assert rabbitmq.amount("SQS requests") is None
    assert sqs.amount("broker") is None
    assert sqs.amount("SQS requests")


def test_production_costs_more_than_a_trial() -> None:
    trial, production = (estimate(MILLION, {"Profile": one}) for one in ("trial", "production"))
    assert production.total > trial.total


def test_what_exists_already_costs_nothing() -> None:
    own = {"VpcId": "vpc-1", "DatabaseUrlSecretArn": "arn", "BrokerArn": "arn"}
    found = estimate(MILLION, own)
    assert not {"database", "broker", "NAT gateways"} & {one.name for one in found.lines}


def test_aurora_is_no_part_of_the_sum() -> None:
    found = estimate(MILLION, {})
    acu, storage, _ = found.alternative
    assert (acu.amount, acu.arithmetic) == (51.10, "365 ACU-h × 0.14")
    assert storage.amount == pytest.approx(0.10)
    assert not {one.name for one in found.alternative} & {one.name for one in found.lines}


@pytest.mark.parametrize(
    ("work", "given", "note"),
    [
        (
            Workload(files=1e9),
            {},
            "copying one month's files takes one event source mapping 4 months",
        ),
        (Workload(files=1e8, months=12), {}, "raise DatabaseStorageMaxGiB"),
        (Workload(files=1e9), {"ScrubDays": "1"}, "scrub cannot read"),
    ],
)
def test_what_does_not_fit_is_said(work: Workload, given: dict[str, str], note: str) -> None:
    assert any(note in one for one in estimate(work, given).notes)


def test_what_fits_needs_no_note() -> None:
    assert not estimate(MILLION, {}).notes


def test_a_server_without_a_price_is_named() -> None:
    with pytest.raises(SettingError, match=r"no price for db\.huge"):
        estimate(MILLION, {"DatabaseInstanceClass": "db.huge"})


def test_an_unknown_value_of_a_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match="Queue"):
        estimate(MILLION, {"Queue": "kafka"})
