from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from shared.errors import SqsUnavailable
from shared.metrics import tally
from shared.metrics.catalog import MESSAGES_CONFIRMED, MESSAGES_LOST
from shared.queue.messages import SyncMessage
from shared.queue.sqs.queues import region_of
from shared.queue.sqs.sqs_queue import SqsQueue
from tests.helpers.receiver import Post, Receiver, Reply, receiver
from tests.helpers.sqs import KEYS, SqsQueues


@pytest.fixture
def queue(sqs: SqsQueues) -> Iterator[SqsQueue]:
    with closing(SqsQueue(sqs.url)) as opened:
        yield opened


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Receiver, SqsQueue]]:
    """A queue whose SQS answers as a test wants."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with receiver(lambda _: Reply()) as running, closing(SqsQueue(running.url)) as opened:
        yield running, opened


def storing(wanted: Callable[[int], bool]) -> Callable[[Post], Reply]:
    def answer(post: Post) -> Reply:
        entries = json.loads(post.body)["Entries"]
        stored = [e for e in entries if wanted(json.loads(e["MessageBody"])["id"])]
        found = {"Successful": [{"Id": e["Id"]} for e in stored], "Failed": []}
        return Reply(200, {}, json.dumps(found).encode())

    return answer


def messages(number: int) -> list[SyncMessage]:
    return [SyncMessage(n, "request") for n in range(1, number + 1)]


def test_many_messages_go_in_calls_of_ten(stand_in: tuple[Receiver, SqsQueue]) -> None:
    aws, queue = stand_in
    aws.answer = storing(lambda _: True)
    assert queue.publish_all(messages(25)) == set(range(1, 26))
    assert [len(json.loads(post.body)["Entries"]) for post in aws.posts] == [10, 10, 5]


def test_what_sqs_refuses_of_a_batch_is_not_published(
    stand_in: tuple[Receiver, SqsQueue],
) -> None:
    aws, queue = stand_in
    aws.answer = storing(lambda row_id: row_id % 2 == 0)
    assert queue.publish_all(messages(5)) == {2, 4}


def test_what_was_stored_before_an_error_counts(stand_in: tuple[Receiver, SqsQueue]) -> None:
    aws, queue = stand_in
    good = storing(lambda _: True)
    refusal = Reply(400, {}, b'{"__type": "com.amazonaws.sqs#RequestThrottled"}')
    aws.answer = lambda post: refusal if len(aws.posts) > 1 else good(post)
    assert queue.publish_all(messages(30)) == set(range(1, 11))
    with pytest.raises(SqsUnavailable, match="RequestThrottled"):
        queue.publish_all(messages(1))


def test_messages_are_lost_for_the_reason_that_they_have(
    stand_in: tuple[Receiver, SqsQueue],
) -> None:
    aws, queue = stand_in
    half = storing(lambda row_id: row_id % 2 == 0)
    gone = Reply(500, {}, b"{}")
    aws.answer = lambda post: gone if len(aws.posts) > 1 else half(post)
    tally.process.forget()
    assert queue.publish_all(messages(25)) == {2, 4, 6, 8, 10}
    counts = tally.process.take().counts
    assert counts[MESSAGES_LOST, ("refused_or_unroutable",)] == 5
    assert counts[MESSAGES_LOST, ("broker_unreachable",)] == 15
    assert counts[MESSAGES_CONFIRMED, ()] == 5


def test_what_waits_is_counted_and_what_is_in_flight_is_not(
    queue: SqsQueue, sqs: SqsQueues
) -> None:
    queue.publish_all(messages(12))
    assert queue.depth() == 12
    assert len(sqs.take(5)) == 5
    assert queue.depth() == 7


@pytest.mark.parametrize(
    "data", [b"", b"\x00\x1f\xff", "𝄞\ufffe".encode(), b"\\" * 300_000, "𝄞".encode() * 100_000]
)
def test_nothing_in_a_message_keeps_it_from_the_dead_letters(
    queue: SqsQueue, sqs: SqsQueues, data: bytes
) -> None:
    queue.dead_letter(data, "not JSON", {"n" * 300: "𝄞" * 50_000, "request_id": "one"})
    [letter] = sqs.take(dead=True)
    assert len(letter["Body"]) < 256 * 1024
    kept = json.loads(letter["Body"])
    assert kept["reason"] == "not JSON"
    assert data.decode(errors="replace").startswith(kept["data"])
    assert queue.dead_letter_depth() == 0  # it is in flight


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/sync", "eu-west-1"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/sync", "cn-north-1"),
        ("https://vpce-1-2.sqs.us-east-2.vpce.amazonaws.com/1/sync", "us-east-2"),
        ("http://127.0.0.1:5000/123456789012/sync", None),
    ],
)
def test_the_region_is_in_the_url(url: str, region: str | None) -> None:
    assert region_of(url) == region
