from __future__ import annotations

from collections.abc import Mapping

import pytest

from local.aws_costs.assumptions import Assumptions, Workload
from local.aws_costs.inventory import HOURS, SECONDS
from local.aws_costs.lines import GIB, disk_gib, lines, traces
from local.aws_costs.prices import Line, PriceList
from local.aws_costs.usage import DAYS, Usage
from tests.local.aws_costs.templates import inventory

ASSUMED = Assumptions()
SERVERS = """
Parameters:
  Zones: {Type: String, Default: "false"}
  Mode: {Type: String, Default: SINGLE_INSTANCE}
Resources:
  Database:
    Type: AWS::RDS::DBInstance
    Properties:
      DBInstanceClass: db.m7g.large
      AllocatedStorage: 20
      MultiAZ: !Ref Zones
      BackupRetentionPeriod: 7
  Broker:
    Type: AWS::AmazonMQ::Broker
    Properties: {HostInstanceType: mq.m7g.large, DeploymentMode: !Ref Mode}
  Cache:
    Type: AWS::ElastiCache::CacheCluster
    Properties: {CacheNodeType: cache.t4g.micro, NumCacheNodes: 2}
  Storage:
    Type: AWS::EFS::FileSystem
    Properties: {BackupPolicy: {Status: ENABLED}}
"""
NAT = """
  Nat: {Type: AWS::EC2::NatGateway}
  Address: {Type: AWS::EC2::EIP}
"""
ENDPOINT = """
  Endpoint:
    Type: AWS::EC2::VPCEndpoint
    Properties: {VpcEndpointType: Interface, SubnetIds: [a, b]}
"""
PROXY = """
  Proxy: {Type: AWS::RDS::DBProxy}
"""


class Bill:
    """The lines of a template's text.

    Args:
        folder: a fixture's, for the template.
    """

    def __init__(self, folder: object) -> None:
        self._folder = folder

    def __call__(
        self,
        text: str,
        work: Workload,
        given: Mapping[str, str] | None = None,
        options: Mapping[str, str] | None = None,
        *,
        sqs: bool = False,
    ) -> dict[str, Line]:
        found = inventory(self._folder, text, given)  # type: ignore[arg-type]
        used = Usage(found, work, ASSUMED, sqs=sqs, options=options or {})
        return {one.name: one for one in lines(found, used, work, ASSUMED, PriceList.load())}


@pytest.fixture
def bill(tmp_path: object) -> Bill:
    return Bill(tmp_path)


def test_servers_are_paid_for_by_the_hour(bill: Bill) -> None:
    found = bill(SERVERS, Workload(files=0))
    assert found["database"].amount == round(HOURS * 0.186, 2)
    assert found["database's disk"].amount == round(20 * 0.127, 2)
    assert found["broker"].amount == round(HOURS * 0.26 + 0.11, 2)
    assert found["cache"].amount == round(HOURS * 2 * 0.017, 2)


def test_a_standby_costs_as_much_as_the_database_and_its_disk(bill: Bill) -> None:
    found = bill(SERVERS, Workload(files=0), {"Zones": "true"})
    assert found["database"].amount == round(HOURS * 2 * 0.186, 2)
    assert found["database's disk"].amount == round(2 * 20 * 0.127, 2)


def test_a_cluster_has_three_brokers(bill: Bill) -> None:
    found = bill(SERVERS, Workload(files=0), {"Mode": "CLUSTER_MULTI_AZ"})
    assert found["broker"].amount == round(3 * (HOURS * 0.26 + 0.11), 2)


def test_a_server_that_is_not_made_has_no_line(bill: Bill) -> None:
    found = bill("Resources: {}", Workload(files=1e6))
    assert not {"database", "broker", "cache", "NAT gateways"} & found.keys()


def test_the_disk_grows_with_the_ledger() -> None:
    database = {"AllocatedStorage": "20"}
    assert disk_gib(database, Workload(files=1e6), ASSUMED) == 20
    grown = disk_gib(database, Workload(files=1e8, months=2), ASSUMED)
    assert grown == pytest.approx(2e8 * ASSUMED.row_bytes / GIB)


def test_a_backup_is_free_up_to_the_size_of_the_disk(bill: Bill) -> None:
    assert "database's backup" not in bill(SERVERS, Workload(files=1e6))
    found = bill(SERVERS, Workload(files=1e8))["database's backup"]
    # The disk has grown to what is stored; the log of seven days is beyond it.
    changed = 1e8 / DAYS * 7 * ASSUMED.wal_bytes / GIB
    assert found.amount == pytest.approx(changed * 0.095, abs=0.01)


def test_a_proxy_is_paid_for_by_the_databases_processors(bill: Bill) -> None:
    found = bill(SERVERS + PROXY, Workload(files=0))
    assert found["database's proxy"].amount == round(HOURS * 2 * 0.018, 2)


def test_efs_is_paid_for_what_is_written_read_and_kept(bill: Bill) -> None:
    found = bill(SERVERS, Workload(files=1e6, months=3), options={"ScrubDays": "30"})
    assert found["EFS reads and writes"].amount == pytest.approx(
        1e6 * (100_000 + 8 * 4_096) / 1e9 * 0.07
        + 3e6 * DAYS / 30 * (100_000 + 3 * 4_096) / 1e9 * 0.03,
        abs=0.01,
    )
    stored = 3e6 * (25 * 4_096 + 2_048) / 1e9
    assert found["EFS storage"].amount == pytest.approx(stored * 0.33, abs=0.01)
    assert found["EFS backup"].amount == pytest.approx(stored * 0.055, abs=0.01)


def test_an_existing_file_system_is_paid_for_without_a_backup(bill: Bill) -> None:
    found = bill("Resources: {}", Workload(files=1e6))
    assert found["EFS storage"].amount > 0
    assert "EFS backup" not in found


def test_reconcile_lists_a_thousand_objects_with_each_request(bill: Bill) -> None:
    options = {"ReconcileDays": "1"}
    found = bill("Resources: {}", Workload(files=1e6), options=options)["S3 requests"]
    assert found.amount == pytest.approx(0.4 + 1_000 * DAYS * 5 / 1e6, abs=0.01)


def test_calls_to_aws_go_through_endpoints_if_there_are_any(bill: Bill) -> None:
    work = Workload(files=1e8)
    sent = 1e8 * ASSUMED.call_bytes / 1e9
    hours = HOURS * (0.048 + 0.005)
    nat = bill("Resources:" + NAT, work, sqs=True)
    assert nat["NAT gateways"].amount == pytest.approx(hours + sent * 0.048, abs=0.01)
    both = bill("Resources:" + NAT + ENDPOINT, work, sqs=True)
    assert both["NAT gateways"].amount == pytest.approx(hours, abs=0.01)
    assert both["VPC endpoints"].amount == pytest.approx(HOURS * 2 * 0.011 + sent * 0.01, abs=0.01)


def test_a_bucket_elsewhere_costs_the_way_of_its_objects(bill: Bill) -> None:
    work = Workload(files=1e6)
    here = bill("Resources:" + NAT, work)
    there = bill("Resources:" + NAT, work, options={"SourceBucketRegion": "us-east-1"})
    more = there["NAT gateways"].amount - here["NAT gateways"].amount
    assert more == pytest.approx(100 * 0.048, abs=0.01)
    more = there["data transfer"].amount - here["data transfer"].amount
    assert more == pytest.approx(100 * 0.02, abs=0.01)


def test_callbacks_leave_aws(bill: Bill) -> None:
    work = Workload(files=1e7)
    without = bill("Resources:" + NAT, work)
    found = bill("Resources:" + NAT, work, options={"CallbackUrl": "https://a.test/"})
    more = found["data transfer"].amount - without["data transfer"].amount
    assert more == pytest.approx(1e7 * ASSUMED.callback_bytes / 1e9 * 0.09, abs=0.01)
    assert found["custom metrics"].amount == pytest.approx(
        without["custom metrics"].amount + 5 * 0.3
    )


def test_s3_events_are_paid_for_and_queued(bill: Bill) -> None:
    found = bill("Resources: {}", Workload(files=1e6), options={"S3Events": "eventbridge"})
    assert found["S3 events"].amount == 1.0
    assert found["SQS requests"].amount > 0
    assert not {"S3 events", "SQS requests"} & bill("Resources: {}", Workload(files=1e6)).keys()


@pytest.mark.parametrize(
    ("calls", "traced"),
    [(0, 0), (1_000, 1_000), (SECONDS, SECONDS), (1e8, SECONDS + (1e8 - SECONDS) * 0.05)],
)
def test_one_call_in_a_second_is_traced_and_some_of_the_others(calls: float, traced: float) -> None:
    assert traces(calls) == pytest.approx(traced)
