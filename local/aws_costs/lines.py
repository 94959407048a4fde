"""The lines of an estimate: what a stack has and does, times its price."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from local.aws_costs.assumptions import Assumptions, Workload
from local.aws_costs.inventory import HOURS, SECONDS, Inventory
from local.aws_costs.prices import Line, PriceList, Term, line
from local.aws_costs.stack import Document
from local.aws_costs.usage import DAYS, Usage

EFS_REQUEST, EFS_INODE = 4_096, 2_048
"""Bytes that EFS counts for a request without content, as is assumed, and for a file beside its
content, which is rounded up to the former (EFS user guide, "How Amazon EFS reports file system and
object sizes")."""

GIB = 2**30
VCPUS = {"micro": 2, "small": 2, "medium": 2, "large": 2, "xlarge": 4, "2xlarge": 8}
"""Of instance classes, by their size: what a proxy before them is paid for."""

Pricer = Callable[[str, float], Term]


def lines(
    inventory: Inventory, usage: Usage, work: Workload, assumed: Assumptions, prices: PriceList
) -> list[Line]:
    """Return the lines of a month, those without an amount left out."""
    arguments = (inventory, usage, work, assumed, prices.of)
    found = (*_functions(*arguments), *_files(*arguments), *_observed(*arguments))
    found += (*_network(*arguments), *_servers(*arguments))
    return [one for one in found if one.amount or one.arithmetic]


def _functions(
    inventory: Inventory, usage: Usage, work: Workload, _: Assumptions, price: Pricer
) -> Iterator[Line]:
    for function, runs in usage.functions:
        time = price(f"lambda_{usage.architecture}", runs.seconds * function.memory_gb)
        yield line(function.name, time, price("lambda_calls", runs.calls))
    doors = inventory.count("AWS::Serverless::HttpApi")
    yield line("HTTP API", price("http_api", usage.requests * doors))
    acls = inventory.of("AWS::WAFv2::WebACL")
    yield line(
        "web application firewall",
        price("waf_acl", len(acls)),
        price("waf_rule", sum(len(acl.get("Rules", ())) for acl in acls)),
        price("waf_requests", usage.requests * len(acls)),
    )
    yield line("S3 events", price("eventbridge_opt_in", work.files * usage.has_events))
    yield line("SQS requests", price("sqs", usage.sqs_requests))


def _files(
    inventory: Inventory, usage: Usage, work: Workload, assumed: Assumptions, price: Pricer
) -> Iterator[Line]:
    listed = math.ceil(usage.reconciled / 1_000)
    yield line("S3 requests", price("s3_get", work.files), price("s3_list", listed))
    written = work.files * (work.object_bytes + assumed.write_requests * EFS_REQUEST)
    looked_at = (usage.scrubbed + usage.reconciled) * assumed.read_requests * EFS_REQUEST
    read = usage.scrubbed * work.object_bytes + looked_at
    # An existing file system is paid for by its use, too.
    yield line("EFS reads and writes", price("efs_write", written), price("efs_read", read))
    rounded = math.ceil(work.object_bytes / EFS_REQUEST) * EFS_REQUEST + EFS_INODE
    stored = work.stored * rounded
    yield line("EFS storage", price("efs_storage", stored))
    has_backup = any(
        one.get("BackupPolicy", {}).get("Status") == "ENABLED"
        for one in inventory.of("AWS::EFS::FileSystem")
    )
    yield line("EFS backup", price("efs_backup", stored * has_backup))


def _observed(
    inventory: Inventory, usage: Usage, _: Workload, assumed: Assumptions, price: Pricer
) -> Iterator[Line]:
    doors = inventory.count("AWS::Serverless::HttpApi")
    logged = sum(runs.log_bytes for _, runs in usage.functions)
    yield line("logs", price("logs", logged + usage.requests * doors * assumed.access_log_bytes))
    traced = sum(traces(runs.calls) for one, runs in usage.functions if one.is_traced)
    yield line("traces", price("traces", traced))
    own = assumed.metrics + assumed.callback_metrics * usage.has_callbacks
    own += assumed.event_metrics * usage.has_events
    yield line("custom metrics", price("custom_metric", inventory.filtered_metrics + own))
    yield line(
        "alarms and dashboards",
        price("alarm_metric", inventory.alarm_metrics),
        price("composite_alarm", inventory.count("AWS::CloudWatch::CompositeAlarm")),
        price("dashboard", inventory.count("AWS::CloudWatch::Dashboard")),
    )
    yield line(
        "secrets and keys",
        price("secret", inventory.secrets),
        price("secret_calls", usage.secret_calls),
        price("kms_key", inventory.count("AWS::KMS::Key")),
    )


def traces(calls: float) -> float:
    """Return how many calls are traced: one a second, and 5 percent of the others.

    X-Ray's default rule (AWS X-Ray developer guide, "Configuring sampling rules").
    """
    first = min(calls, SECONDS)
    return first + (calls - first) * 0.05


def _network(
    inventory: Inventory, usage: Usage, work: Workload, assumed: Assumptions, price: Pricer
) -> Iterator[Line]:
    gateways, zones = inventory.count("AWS::EC2::NatGateway"), inventory.endpoint_zones
    sends = work.files * usage.sqs + usage.batches * usage.has_callbacks
    calls = (usage.secret_calls + sends) * assumed.call_bytes
    callbacks = work.files * assumed.callback_bytes * usage.has_callbacks
    objects = work.files * work.object_bytes * usage.is_elsewhere
    through_nat = callbacks + objects + calls * (not zones)
    yield line(
        "NAT gateways",
        price("nat_hours", HOURS * gateways),
        price("public_address", HOURS * inventory.count("AWS::EC2::EIP")),
        price("nat_bytes", through_nat * bool(gateways)),
    )
    yield line(
        "VPC endpoints",
        price("endpoint_hours", HOURS * zones),
        price("endpoint_bytes", calls * bool(zones)),
    )
    sent = usage.requests * assumed.response_bytes + callbacks
    # Two zones: half of what is said to the ledger crosses from one to the other.
    yield line(
        "data transfer",
        price("internet", sent),
        price("between_zones", work.files * assumed.ledger_bytes / 2),
        price("s3_other_region", objects),
    )


def _servers(
    inventory: Inventory, _: Usage, work: Workload, assumed: Assumptions, price: Pricer
) -> Iterator[Line]:
    databases = inventory.of("AWS::RDS::DBInstance")
    for database in databases:
        yield from _database(database, work, assumed, price)
    proxied = databases * min(1, inventory.count("AWS::RDS::DBProxy"))
    vcpus = sum(VCPUS[str(one["DBInstanceClass"]).rpartition(".")[2]] for one in proxied)
    yield line("database's proxy", price("rds_proxy", HOURS * vcpus))
    for broker in inventory.of("AWS::AmazonMQ::Broker"):
        nodes = 3 if broker["DeploymentMode"] == "CLUSTER_MULTI_AZ" else 1
        yield line(
            "broker",
            price(broker["HostInstanceType"], HOURS * nodes),
            price("mq_disk", assumed.broker_bytes * nodes),
        )
    for cache in inventory.of("AWS::ElastiCache::CacheCluster"):
        nodes = int(cache.get("NumCacheNodes", 1))
        yield line("cache", price(cache["CacheNodeType"], HOURS * nodes))


def _database(
    database: Document, work: Workload, assumed: Assumptions, price: Pricer
) -> Sequence[Line]:
    copies = 2 if str(database.get("MultiAZ")).lower() == "true" else 1
    disk = disk_gib(database, work, assumed)
    days = float(database.get("BackupRetentionPeriod", 1))
    changed = work.files / DAYS * assumed.wal_bytes * days
    backup = (work.stored * assumed.row_bytes + changed) / GIB if days else 0.0
    return (
        line("database", price(str(database["DBInstanceClass"]), HOURS * copies)),
        line("database's disk", price("rds_disk", disk * copies)),
        line("database's backup", price("rds_backup", max(0.0, backup - disk))),
    )


def disk_gib(database: Document, work: Workload, assumed: Assumptions) -> float:
    """Return the size of a database's disk, which grows with the ledger."""
    return max(float(database["AllocatedStorage"]), work.stored * assumed.row_bytes / GIB)
