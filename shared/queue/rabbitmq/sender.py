"""One message at a time to RabbitMQ, for the publisher on Lambda."""

from __future__ import annotations

import time
from collections.abc import Callable

from shared.queue.blocking import TIMEOUT
from shared.queue.messages import SyncMessage
from shared.queue.rabbitmq.session import Session
from shared.queue.rabbitmq.topology import publication


class BrokerSender:
    """Sends messages to RabbitMQ and waits for each publisher confirm; see `Sender`.

    Args:
        url: of the broker.
        timeout: seconds that one message may take.
        wall_clock: seconds since 1970, stamped on the messages.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = TIMEOUT,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._session = Session(url, timeout=timeout)
        self._wall_clock = wall_clock

    def send(self, message: SyncMessage) -> bool:
        """Send a message; see `Sender.send`."""
        return bool(self._session.publish([publication(message, self._wall_clock())]))

    def close(self) -> None:
        """Close the connection; see `Sender.close`."""
        self._session.close()
