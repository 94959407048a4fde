"""Messages that nobody of ours would send."""

from __future__ import annotations

import random

from tests.faults.harness.arena import Arena
from tests.helpers.raw_publisher import RawPublisher, shapes

DEAD = (
    b"",
    b"garbage",
    b"\xff\xfe\x00",
    b"not base64 \xc3",
    b"[]",
    b"null",
    b'{"id": -1}',
    b'{"id": 0}',
    b'{"id": 1.5}',
    b'{"id": true}',
    b'{"id": "1"}',
    b'{"id": 9223372036854775808}',
    b'{"other": 1}',
    b"[" * 200,
    b"x" * 1_000_000,
)


def test_unreadable_messages_are_set_aside_and_stop_nothing(arena: Arena) -> None:
    with arena.trial("unreadable messages") as trial:
        trial.dead = DEAD
        trial.times = len(DEAD)
        arena.stack.broker.publish(DEAD[:8], {"odd": {"deep": [1, None]}})
        trial.send("plain", count=20)
        arena.stack.broker.publish(DEAD[8:])


def test_messages_of_unknown_rows_are_passed_over(arena: Arena) -> None:
    with arena.trial("messages of unknown rows") as trial:
        unknown = [b'{"id": 9223372036854775807}', b'{"id": 987654321, "more": [1]}']
        trial.times = len(unknown)
        arena.stack.broker.publish(unknown)
        trial.send("plain", count=20)


def test_a_hundred_messages_of_one_row_make_one_file(arena: Arena) -> None:
    with arena.trial("one message a hundred times") as trial:
        arena.stack.trigger.stop()
        trial.send("plain", count=5)
        ids = [row.row_id for row in arena.stack.rows()]
        again = [b'{"id": %d}' % row_id for row_id in ids for _ in range(100)]
        arena.stack.broker.publish(again)
        arena.stack.start()


def test_messages_in_any_order_make_the_same_files(arena: Arena) -> None:
    with arena.trial("messages in any order") as trial:
        arena.stack.trigger.stop()
        trial.send("plain", count=60)
        ids = [row.row_id for row in arena.stack.rows()]
        arena.stack.broker.purge_waiting()
        random.Random(arena.seed).shuffle(ids)
        arena.stack.broker.publish([b'{"id": %d}' % row_id for row_id in ids])
        arena.stack.start()


def test_frames_that_no_client_library_writes_stop_nothing(arena: Arena) -> None:
    with arena.trial("poison frames") as trial, RawPublisher(arena.stack.broker.url) as publisher:
        dead = []
        for number, (_, raw) in enumerate(shapes()):
            body = b"frame %d" % number
            assert publisher.publish("sync", raw, body)
            dead.append(body)
        trial.send("plain", count=20)
        trial.dead = dead
        trial.times = len(dead)
