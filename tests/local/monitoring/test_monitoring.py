"""A real Prometheus beside the real service."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local.servers.prometheus import PrometheusServer
from shared.metrics.catalog import ALL, GAUGES
from tests.helpers.servers import execute, free_port
from tests.helpers.service import Service, payload
from tests.helpers.waiting import until

FAIL = """
INSERT INTO file_sync (oeid, ref_id, file_name, file_type, payload_checksum, request_id, state,
                       last_error, failed_at)
VALUES ('o', 'r', 'n', 't/t', sha256('n'), 'r', 'failed', 'x', now())
"""
DISMISS = "UPDATE file_sync SET state = 'dismissed', failed_at = NULL WHERE file_name = 'n'"


def ask(prometheus: PrometheusServer, path: str, **parameters: str) -> Any:
    url = f"{prometheus.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)["data"]


def value(prometheus: PrometheusServer, expression: str) -> float | None:
    result = ask(prometheus, "query", query=expression)["result"]
    return float(result[0]["value"][1]) if result else None


def alerts(prometheus: PrometheusServer) -> set[str]:
    """Return the alerts whose condition holds, those that still wait for their time included."""
    return {alert["labels"]["alertname"] for alert in ask(prometheus, "alerts")["alerts"]}


def test_prometheus_reads_the_service_and_its_alerts_come_and_go(
    tmp_path: Path, database_url: str, start_server: Callable[[Any], Any]
) -> None:
    variables = {"DATABASE_URL": database_url, "S3_PORT": str(free_port()), "SCHEDULE_SECONDS": "1"}
    service = Service(tmp_path, free_port(), variables)
    service.start()
    prometheus = start_server(
        PrometheusServer(
            tmp_path / "monitoring",
            free_port(),
            f"http://127.0.0.1:{service.port}",
            interval_seconds=1,
        )
    )
    try:
        assert service.post(payload("no-such-signature.jpg"), "x").status == 401
        assert service.post(payload("sample-1.jpg")).status == 201
        until(lambda: value(prometheus, 'sync_requests_total{status="201"}') == 1)
        assert value(prometheus, 'sync_requests_total{reason="signature_invalid"}') == 1
        until(lambda: value(prometheus, "sum(sync_attempts_total)") is not None)
        assert value(prometheus, 'up{job="external-storage-sync"}') == 1
        assert value(prometheus, 'min(sync_up{part=~"database|storage"})') == 1
        known = set(ask(prometheus, "label/__name__/values"))
        absent = {"sync_queue_messages"}  # there is no broker here, nor a receiver of callbacks
        absent |= {m.name for m in GAUGES if m.name.startswith("sync_callbacks_")}
        gauges = {m.name for m in ALL if not m.labels and not m.buckets} - absent
        assert gauges - {"sync_verified_ratio"} <= known
        assert not known & absent
        assert alerts(prometheus) == set()
        execute(database_url, FAIL)
        until(lambda: "FailedObjects" in alerts(prometheus))
        execute(database_url, DISMISS)
        until(lambda: "FailedObjects" not in alerts(prometheus))
    finally:
        assert service.stop() == 0, service.log
