"""What the doctor finds of servers: each that fails is a real one, made to fail."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

import pytest

from local.doctor import cache, ledger, queue, source
from local.doctor.finding import Finding, Level
from local.servers.memcached import MemcachedServer
from shared.config.settings import Settings
from shared.queue.rabbitmq.broker_queue import BrokerQueue, declare
from tests.helpers.s3_server import Answer, Asked, FaultyServer, error
from tests.helpers.servers import execute, free_port

SECONDS = 4.0
LISTING = (
    b"<ListBucketResult><Name>b</Name><KeyCount>1</KeyCount><Contents><Key>one</Key>"
    b"<Size>3</Size></Contents></ListBucketResult>"
)


def by_check(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings}


def of_ledger(url: str) -> dict[str, Finding]:
    return by_check(list(ledger.examine(Settings(database_url=url), SECONDS)))


def test_a_migrated_ledger_is_fine(database_url: str) -> None:
    found = of_ledger(database_url)
    assert {finding.level for finding in found.values()} == {Level.OK}
    assert set(found) == {"PostgreSQL", "migrations", "clock of PostgreSQL"}


def test_pending_migrations_are_named(postgres_url: str) -> None:
    found = of_ledger(postgres_url)["migrations"]
    assert found.level is Level.PROBLEM
    assert "0001.ledger" in found.detail
    assert "./sync migrate" in found.advice


def test_a_migration_of_a_newer_version_is_named(database_url: str) -> None:
    execute(database_url, "INSERT INTO _yoyo_migration VALUES ('x', '9999.later', now())")
    found = of_ledger(database_url)["migrations"]
    assert (found.level, "9999.later" in found.detail) == (Level.WARNING, True)


def test_a_wrong_password_is_named_and_not_shown(database_url: str) -> None:
    parts = urlsplit(database_url)
    wrong = parts._replace(netloc=f"{parts.username}:wr0ng@{parts.hostname}:{parts.port}")
    found = of_ledger(wrong.geturl())["PostgreSQL"]
    assert found.level is Level.PROBLEM
    assert "password authentication failed" in found.detail
    assert "wr0ng" not in f"{found}"
    assert found.advice


def test_a_missing_database_and_a_server_that_is_down_are_problems(database_url: str) -> None:
    missing = f"{database_url.rpartition('/')[0]}/nowhere"
    assert "nowhere" in of_ledger(missing)["PostgreSQL"].detail
    down = of_ledger(f"postgresql://u:p@127.0.0.1:{free_port()}/d")["PostgreSQL"]
    assert (down.level, "refused" in down.detail) == (Level.PROBLEM, True)


def test_a_read_only_database_is_a_problem(database_url: str) -> None:
    name = database_url.rpartition("/")[2]
    execute(database_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    assert "read-only" in of_ledger(database_url)["PostgreSQL"].detail


@pytest.mark.parametrize(
    ("ahead", "level"), [(4.0, Level.OK), (-6.0, Level.WARNING), (90.0, Level.WARNING)]
)
def test_a_clock_may_differ_a_little(ahead: float, level: Level) -> None:
    found = ledger.clock("clock", ahead, 5.0)
    assert found.level is level
    assert ("behind" in found.detail) == (ahead == -6.0)


def of_queue(url: str, queue_type: str = "classic", seconds: float = SECONDS) -> list[Finding]:
    return list(queue.examine(Settings(rabbitmq_url=url, queue_type=queue_type), seconds))


def test_queues_that_are_missing_are_not_made(rabbitmq_url: str) -> None:
    for _ in range(2):
        found = by_check(of_queue(rabbitmq_url))
        assert found["RabbitMQ"].level is Level.OK
        for name in ("queue sync", "queue sync.dead"):
            assert found[name].level is Level.PROBLEM
            assert "./sync migrate" in found[name].advice


def test_queues_of_other_arguments_are_a_problem(rabbitmq_url: str) -> None:
    declare(rabbitmq_url, "classic")
    found = by_check(of_queue(rabbitmq_url, "quorum"))["queue sync arguments"]
    assert found.level is Level.PROBLEM
    assert "x-queue-type" in found.detail
    assert "delete the queue sync" in found.advice


def test_queues_as_declared_are_fine_but_for_what_waits_there(rabbitmq_url: str) -> None:
    declare(rabbitmq_url, "classic")
    unread = by_check(of_queue(rabbitmq_url))
    assert unread["queue sync"].level is Level.WARNING  # nothing consumes it
    assert unread["queue sync.dead"].level is Level.OK
    broker = BrokerQueue(rabbitmq_url)
    broker.dead_letter(b"x", "unreadable", {})
    broker.close()
    assert by_check(of_queue(rabbitmq_url))["queue sync.dead"].level is Level.WARNING


def test_a_broker_that_says_nothing_ends_within_its_time(silent_url: str) -> None:
    began = time.monotonic()
    (found,) = of_queue(silent_url, seconds=0.5)
    assert found.level is Level.PROBLEM
    assert time.monotonic() - began < 5


def test_each_node_of_a_broker_is_looked_at(rabbitmq_url: str) -> None:
    declare(rabbitmq_url, "classic")
    head, _, tail = rabbitmq_url.rpartition("@")
    address, _, vhost = tail.partition("/")
    dead = f"127.0.0.1:{free_port()}"
    found = by_check(of_queue(f"{head}@{dead},{address}/{vhost}"))
    assert found[f"RabbitMQ at {address}"].level is Level.OK
    assert found[f"RabbitMQ at {dead}"].level is Level.WARNING
    assert found["queue sync.dead"].level is Level.OK
    (only,) = of_queue(f"{head}@{dead}/{vhost}")
    assert (only.check, only.level) == ("RabbitMQ", Level.PROBLEM)


def test_a_refused_login_at_the_broker_is_a_problem(rabbitmq_url: str) -> None:
    parts = urlsplit(rabbitmq_url)
    wrong = parts._replace(netloc=f"{parts.username}:wr0ng@{parts.hostname}:{parts.port}")
    (found,) = of_queue(wrong.geturl())
    assert found.level is Level.PROBLEM
    assert "wr0ng" not in f"{found}"


def test_memcached_is_looked_at_by_its_version(memcached_server: MemcachedServer) -> None:
    host, _, port = memcached_server.address.partition(":")
    settings = Settings(memcached_url=((host, int(port)),))
    (found,) = cache.examine(settings, SECONDS)
    assert (found.level, "version 1.6" in found.detail) == (Level.OK, True)
    several = Settings(memcached_url=((host, int(port)), ("127.0.0.1", free_port())))
    first, second = cache.examine(several, SECONDS)
    assert (first.level, second.level) == (Level.OK, Level.WARNING)
    assert "others count for it" in second.detail
    memcached_server.stop()
    (found,) = cache.examine(settings, SECONDS)
    assert found.level is Level.WARNING


def of_s3(endpoint: str, bucket: str = "b") -> dict[str, Finding]:
    settings = Settings(
        bucket=bucket, s3_endpoint=endpoint, s3_access_key_id="k", s3_secret_access_key="s"
    )
    return by_check(list(source.examine(settings, SECONDS)))


def s3(asked: Asked) -> Answer:
    """Answer as S3 does for a bucket `b` with one object."""
    if not asked.path.startswith("/b"):
        return error(HTTPStatus.NOT_FOUND, "NoSuchBucket")
    if "list-type=2" in asked.path:
        return Answer(body=LISTING, headers={"Content-Type": "application/xml"})
    return Answer(HTTPStatus.PARTIAL_CONTENT, body=b"o") if "/one" in asked.path else Answer()


def denying(part: str) -> FaultyServer:
    """Return an S3 that denies the requests whose path has a part."""
    return FaultyServer(
        lambda asked: (
            error(HTTPStatus.FORBIDDEN, "AccessDenied") if part in asked.path else s3(asked)
        )
    )


def test_all_rights_on_a_bucket_are_fine(s3_endpoint: str) -> None:
    with FaultyServer(s3) as server:
        found = of_s3(server.url)
    requests = ("HeadBucket", "ListBucket", "GetObject")
    assert [found[f"S3 permission {r}"].level for r in requests] == [Level.OK] * 3
    missing = of_s3(s3_endpoint, "not-there")
    assert missing["S3 permission HeadBucket"].level is Level.PROBLEM
    assert missing["S3 permission HeadBucket"].advice == "correct AWS_S3_BUCKET_NAME"
    assert missing["clock of S3"].level is Level.OK


def test_each_right_that_is_denied_is_named() -> None:
    with denying("/one") as server:
        found = of_s3(server.url)
    assert found["S3 permission ListBucket"].level is Level.OK
    assert found["S3 permission GetObject"].level is Level.PROBLEM
    assert "s3:GetObject on arn:aws:s3:::b/*" in found["S3 permission GetObject"].advice
    with denying("list-type") as server:
        found = of_s3(server.url)
    assert found["S3 permission ListBucket"].level is Level.PROBLEM
    assert found["S3 permission GetObject"].level is Level.SKIPPED


def test_a_key_that_is_unknown_there_is_named() -> None:
    with FaultyServer(lambda _: error(HTTPStatus.FORBIDDEN, "InvalidAccessKeyId")) as server:
        found = of_s3(server.url)
    assert "AWS_S3_SECRET_ACCESS_KEY" in found["S3 permission ListBucket"].advice


def test_a_clock_that_differs_from_that_of_s3_is_told() -> None:
    late = datetime.now(UTC) - timedelta(minutes=20)
    date = late.strftime("%a, %d %b %Y %H:%M:%S GMT")
    with FaultyServer(lambda _: Answer(headers={"Date": date})) as server:
        found = of_s3(server.url)["clock of S3"]
    assert (found.level, "behind" in found.detail) == (Level.WARNING, True)


def test_an_s3_that_is_down_is_a_problem() -> None:
    found = of_s3(f"http://127.0.0.1:{free_port()}")["S3"]
    assert found.level is Level.PROBLEM
    assert "AWS_ENDPOINT_URL_S3" in found.advice
