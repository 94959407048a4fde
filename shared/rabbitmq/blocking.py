"""The announcer of a Lambda sandbox: the message is out before the function returns."""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import TYPE_CHECKING

from shared.announcer import Counts
from shared.errors import QueueUnavailable
from shared.messages import SyncMessage
from shared.rabbitmq.session import Session
from shared.rabbitmq.topology import announcement

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

#: Seconds that a request may be held up while the broker is away or slow.
TIMEOUT = 1.0
#: Seconds after a failure in which no further request pays for a try.
REST = 5.0


class BlockingAnnouncer:
    """Publishes in the caller's thread and waits for the confirm; one connection a sandbox.

    Args:
        url: of the broker.
        timeout: seconds that an announcement may take.
        clock: a clock that never goes backwards.
        wall_clock: seconds since 1970, stamped on the messages.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._session = Session(url, timeout=timeout)
        self._clock = clock
        self._wall_clock = wall_clock
        self._resting_until = clock()
        self._announced = 0
        self._confirmed = 0
        self._lost: Counter[str] = Counter()

    def announce(self, row_id: int, request_id: str) -> None:
        """Publishes a row's message; see `Announcer.announce`."""
        self._announced += 1
        if self._clock() < self._resting_until:
            self._lose("broker away", row_id)
            return
        message = announcement(SyncMessage(row_id, request_id), self._wall_clock())
        try:
            confirmed = self._session.publish([message])
        except QueueUnavailable as error:
            self._resting_until = self._clock() + REST
            self._lose("broker away", row_id, str(error))
            return
        if confirmed:
            self._confirmed += 1
        else:
            self._lose("refused or unroutable", row_id)

    def close(self, timeout: float) -> None:  # noqa: ARG002 - nothing waits, so nothing takes time
        """Ends the connection; see `Announcer.close`."""
        self._session.close()

    def counts(self) -> Counts:
        """Gives the counts so far; see `Announcer.counts`."""
        return Counts(self._announced, self._confirmed, dict(self._lost))

    def _lose(self, reason: str, row_id: int, error: str = "") -> None:
        self._lost[reason] += 1
        logger.warning(
            "Announcement lost: requeue delivers",
            extra={"row_id": row_id, "reason": reason, "error": error},
        )
