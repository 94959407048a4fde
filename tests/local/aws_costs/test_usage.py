from __future__ import annotations

from collections.abc import Mapping

import pytest

from local.aws_costs.assumptions import Assumptions, Workload
from local.aws_costs.inventory import HOURS, SECONDS, Batching, Inventory
from local.aws_costs.stack import Stack, read
from local.aws_costs.usage import DAYS, Runs, Usage, batches
from local.template import TEMPLATE

ASSUMED = Assumptions()
RABBITMQ = Batching(1_000, 0.0, 1)
RUNS = SECONDS / 60
EVERYTHING = {"CallbackUrl": "https://a.test/", "S3Events": "eventbridge", "ReconcileDays": "7"}


def usage(files: float, given: Mapping[str, str] | None = None, *, sqs: bool = False) -> Usage:
    stack = Stack(read(TEMPLATE), TEMPLATE.parent, given or {}, "eu-west-1")
    work = Workload(files=files)
    return Usage(Inventory(stack), work, ASSUMED, sqs=sqs, options=stack.parameters)


def runs(found: Usage, name: str) -> Runs:
    [one] = [runs for function, runs in found.functions if function.name == name]
    return one


@pytest.mark.parametrize(
    ("files", "batching", "size"),
    [
        (1e4, RABBITMQ, 1),  # few: one at a time
        (1e8, RABBITMQ, 30.7),  # what arrives while the one before it is copied
        (1e9, RABBITMQ, 1_000),  # more than one mapping can copy
        (1e6, Batching(1_000, 10.0, 1), 3.8),  # the window gathers
        (1e8, Batching(10, 0.0, 5), 1),  # five pollers, no window
        (1e8, Batching(10, 1.0, 5), 7.6),
        (1e8, Batching(10, 20.0, 5), 10),
    ],
)
def test_batches_grow_with_what_arrives(files: float, batching: Batching, size: float) -> None:
    assert files / batches(files, 0.5, 0.01, batching) == pytest.approx(size, rel=0.01)


def test_no_files_are_no_batches() -> None:
    assert batches(0, 0.5, 0.01, RABBITMQ) == 0


def test_ingest_runs_once_for_each_file() -> None:
    found = runs(usage(1_000), "ingest")
    assert (found.calls, found.seconds) == (1_000, 60)
    assert found.log_bytes == 1_000 * (780 + 500)


def test_one_invocation_of_the_worker_follows_another_when_it_is_busy() -> None:
    assert runs(usage(1e8), "sync_worker").seconds == pytest.approx(SECONDS)


def test_the_level_decides_about_a_line_for_each_object() -> None:
    logged = [runs(usage(1e6, {"LogLevel": level}), "sync_worker") for level in ("INFO", "WARNING")]
    assert logged[0].log_bytes - logged[1].log_bytes == pytest.approx(1e6 * ASSUMED.line_bytes)


def test_scrub_reads_all_that_is_stored_within_its_days() -> None:
    found = usage(3_000, {"ScrubDays": "30"})
    assert found.scrubbed == pytest.approx(3_000 * DAYS / 30)
    each = ASSUMED.scrub_seconds + 100_000 / ASSUMED.scrub_bytes_per_second
    idle = RUNS * ASSUMED.idle_seconds
    assert runs(found, "scrub").seconds == pytest.approx(idle + found.scrubbed * each)


def test_zero_days_are_never() -> None:
    found = usage(3_000, {"ScrubDays": "0", "ReconcileDays": "0"})
    assert (found.scrubbed, found.reconciled) == (0, 0)
    for name in ("scrub", "reconcile"):
        assert runs(found, name).seconds == pytest.approx(RUNS * ASSUMED.idle_seconds)


def test_everything_is_looked_at_that_months_have_stored() -> None:
    stack = Stack(read(TEMPLATE), TEMPLATE.parent, {}, "eu-west-1")
    work = Workload(files=10, months=12)
    found = Usage(Inventory(stack), work, ASSUMED, sqs=False, options=stack.parameters)
    assert found.scrubbed == pytest.approx(120 * DAYS / 30)


def test_functions_run_where_they_have_something_to_do() -> None:
    found = usage(1_000, EVERYTHING)
    assert runs(found, "notify").calls == pytest.approx(RUNS + found.batches)
    assert runs(found, "s3_events").calls == found.event_batches == 1_000
    assert runs(usage(1_000), "s3_events").calls == 0
    assert "notify" not in {function.name for function, _ in usage(1_000).functions}


def test_a_queue_of_sqs_is_asked_all_the_time() -> None:
    idle = 5 * SECONDS / 20
    assert usage(0, sqs=True).sqs_requests == 0
    # Few messages: sent, received and deleted one by one; the other requests find nothing.
    assert usage(1_000, sqs=True).sqs_requests == pytest.approx(3_000 + idle - 1_000)
    assert usage(1_000).sqs_requests == 0


def test_the_queues_of_both_kinds_of_messages_add_up() -> None:
    one = usage(1_000, sqs=True).sqs_requests
    assert usage(1_000, EVERYTHING, sqs=True).sqs_requests == pytest.approx(2 * one)


def test_secrets_are_fetched_by_each_environment_that_starts() -> None:
    found = usage(1e8)
    starts = {function.name: number for function, number in found.starts}
    # 2.3 requests are answered at the same time, in environments that are replaced every two hours.
    assert starts["ingest"] == 3 * HOURS / 2
    assert starts["migrate"] == 10  # not more than it is invoked
    secrets = {function.name: function.secrets for function in (one for one, _ in found.functions)}
    assert found.secret_calls == sum(starts[name] * secrets[name] for name in starts)
