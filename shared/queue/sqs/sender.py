"""One message at a time to Amazon SQS, for the publisher on Lambda."""

from __future__ import annotations

from shared.queue.blocking import TIMEOUT
from shared.queue.messages import SyncMessage
from shared.queue.sqs.queues import Queues


class SqsSender:
    """Sends messages to Amazon SQS and waits until each is stored; see `Sender`.

    Args:
        url: of the queue.
        timeout: seconds that one message may take.
    """

    def __init__(self, url: str, *, timeout: float = TIMEOUT) -> None:
        self._queues = Queues(url, timeout)

    def send(self, message: SyncMessage) -> bool:
        """Send a message; see `Sender.send`."""
        return bool(self._queues.send([message]))

    def close(self) -> None:
        """Close the connection; see `Sender.close`."""
        self._queues.close()
