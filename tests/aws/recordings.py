"""What makes each alarm fire that reads the functions' own metrics: the logs that they then write.

Each scenario runs the packages under AWS's runtime client, breaks something, and returns what the
functions have written.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from shared.ledger.ledger import Ledger
from shared.queue.rmq_event import Delivery, build
from tests.aws.browser import Browser
from tests.aws.conftest import PASSWORD, Deployment
from tests.aws.exchange import SCHEDULE, batch, http_event, post, sync
from tests.aws.runtime_api import FunctionError
from tests.helpers.servers import execute

CALLBACKS = {"CALLBACK_URL": "https://client.test/hook"}


def healthy(deployment: Deployment) -> str:
    """Accept and copy an object, verify its file, and measure."""
    sync(deployment, "a.jpg", b"content")
    scrubbed(deployment)
    return measured(deployment)


def measured(deployment: Deployment, **changes: str) -> str:
    """Run requeue once; return what it has written, also if it raises."""
    requeue = deployment.sandbox("RequeueFunction", **CALLBACKS, **changes)
    with contextlib.suppress(FunctionError):
        requeue.invoke(SCHEDULE, seconds=55)
    return requeue.written()


def scrubbed(deployment: Deployment) -> None:
    deployment.sandbox("ScrubFunction", SCRUB_DAYS="1").invoke(SCHEDULE)


def failed_object(deployment: Deployment) -> str:
    post(deployment.sandbox("IngestFunction"), "missing.jpg")
    worker = deployment.sandbox("SyncWorkerFunction", MAX_ATTEMPTS="1")
    assert worker.invoke(batch(deployment.rabbitmq_url), seconds=60)["failed"] == 1
    return measured(deployment)


def old_object(deployment: Deployment) -> str:
    post(deployment.sandbox("IngestFunction"), "old.jpg")
    execute(deployment.database_url, "UPDATE file_sync SET queued_at = now() - interval '1 hour'")
    return measured(deployment)


def paused(part: str) -> Callable[[Deployment], str]:
    def scenario(deployment: Deployment) -> str:
        with contextlib.closing(Ledger.at(deployment.database_url)) as ledger:
            ledger.pauses.open(part, "it fails as a whole")
        return measured(deployment)

    return scenario


def undelivered_callback(deployment: Deployment) -> str:
    deployment.put("a.jpg", b"content")
    post(deployment.sandbox("IngestFunction"), "a.jpg")
    execute(
        deployment.database_url,
        "INSERT INTO callback (file_sync_id, name_key, event, data, state)"
        " SELECT id, 1, 'object.synced', '{}', 'undelivered' FROM file_sync",
    )
    return measured(deployment)


def dead_letter(deployment: Deployment) -> str:
    worker = deployment.sandbox("SyncWorkerFunction")
    worker.invoke(build([Delivery(body=b"not JSON")]))
    return measured(deployment)


def damaged_file(deployment: Deployment) -> str:
    sync(deployment, "a.jpg", b"content")
    deployment.file("a.jpg").write_bytes(b"CONTENT")
    scrubbed(deployment)
    return measured(deployment)


def without_database(deployment: Deployment) -> str:
    return measured(deployment, **gone(deployment))


def without_broker(deployment: Deployment) -> str:
    deployment.broker.refuse()
    return measured(deployment)


def ingest_without_database(deployment: Deployment) -> str:
    ingest = deployment.sandbox("IngestFunction", **gone(deployment))
    assert post(ingest, "a.jpg")["statusCode"] == 503
    return ingest.written()


def stats_without_database(deployment: Deployment) -> str:
    stats = deployment.sandbox("StatsFunction", **gone(deployment))
    assert stats.invoke(http_event("GET", "/sync/"))["statusCode"] == 503
    return stats.written()


def admin_without_database(deployment: Deployment) -> str:
    before = Browser(deployment.sandbox("AdminFunction"))
    assert before.submit("/admin/login/", user="root", password=PASSWORD).status == 303
    admin = deployment.sandbox("AdminFunction", **gone(deployment))
    browser = Browser(admin)
    browser.cookies = before.cookies
    assert browser.get("/admin/sync/filesync/").status == 503
    return admin.written()


def event(key: str | None) -> Callable[[Deployment], str]:
    def scenario(deployment: Deployment) -> str:
        sandbox = deployment.sandbox("S3EventsFunction")
        detail: dict[str, Any] = {"bucket": {"name": deployment.bucket}}
        if key is not None:
            detail["object"] = {"key": key, "size": 7, "etag": "0" * 32, "sequencer": "1"}
        sandbox.invoke({"detail-type": "Object Created", "source": "aws.s3", "detail": detail})
        return sandbox.written()

    return scenario


def gone(deployment: Deployment) -> dict[str, str]:
    url = deployment.database_url.rpartition("/")[0] + "/no_such_database"
    return {"DATABASE_URL_ARN": "", "DATABASE_URL": url}


SCENARIOS: Mapping[str, Callable[[Deployment], str]] = {
    "FailedObjects": failed_object,
    "OldestQueued": old_object,
    "SourcePaused": paused("source"),
    "StoragePaused": paused("storage:lambda"),
    "CallbacksPaused": paused("callback"),
    "UndeliveredCallbacks": undelivered_callback,
    "DeadLetters": dead_letter,
    "DamagedFiles": damaged_file,
    "LedgerUnreachable": without_database,
    "QueueUnreachable": without_broker,
    "UnreadableEvents": event(None),
    "RefusedEvents": event("a/../b.jpg"),
    "IngestUnavailable": ingest_without_database,
    "StatsUnavailable": stats_without_database,
    "AdminUnavailable": admin_without_database,
}
"""By alarm, what makes it fire."""
