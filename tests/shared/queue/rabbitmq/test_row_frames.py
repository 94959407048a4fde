from __future__ import annotations

from contextlib import closing

import pika
from hypothesis import given
from hypothesis import strategies as st

from shared.queue.messages import MAX_ROW_ID, SyncMessage
from shared.queue.rabbitmq.row_frames import FRAMES, row_frames
from shared.queue.rabbitmq.topology import publication
from tests.helpers.amqp_connection import AmqpConnection

MESSAGES = st.builds(
    SyncMessage, st.integers(1, MAX_ROW_ID), st.text(st.characters(codec="ascii"), max_size=128)
)


@given(MESSAGES, st.sampled_from([1, 5]), st.integers(0, 2**33))
def test_the_bytes_are_those_that_pika_sends(message: SyncMessage, number: int, now: int) -> None:
    with closing(AmqpConnection(pika.SelectConnection)) as broker:
        channel = broker.channel(number)
        before, frames = broker.wire.sent, broker.connection.frames_sent

        publication(message, now).send(channel)

        assert row_frames(number, message, now) == broker.wire.sent[len(before) :]
        assert broker.connection.frames_sent - frames == FRAMES
