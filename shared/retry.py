"""When a failed attempt is retried, and when it is not: pure policy."""

from __future__ import annotations

from dataclasses import dataclass

from shared.errors import (
    AccessRefused,
    CopyUnproven,
    GiveUp,
    ObjectChanged,
    OutOfTime,
    TransferError,
)

_DOUBLINGS = 60
"""Far beyond any longest wait, and far below a float's limit."""


REFUSALS = 3
"""Attempts after which access that is still refused is given up: rights that are being changed are
back by then, and a person who has forgotten one is told within a minute."""


def is_half(error: TransferError) -> bool:
    """Return whether an attempt is not over: its copy is to be compared with a second one.

    So it is not counted. There is one such copy of an object, and all later ones are compared.
    """
    return isinstance(error, CopyUnproven) and error.first


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential back-off with jitter, multiplied by the number of the attempt.

    Attributes:
        max_attempts: attempts before an object is failed.
        least_seconds: the shortest wait before the second attempt.
        most_seconds: the longest wait, before it is multiplied.
    """

    max_attempts: int
    least_seconds: float = 3.0
    most_seconds: float = 60.0

    @property
    def longest_seconds(self) -> float:
        """The longest possible delay, in seconds."""
        return self.most_seconds * max(1, self.max_attempts - 1)

    def delay(self, error: TransferError, attempts: int, jitter: float) -> float | None:
        """Return how long to wait after an error of this one object.

        A fault that concerns all objects is no attempt at all, see `shared.pausing`. With the
        defaults, and eight attempts:

        ====================  ===========  ==================================
        error                 attempts     delay
        ====================  ===========  ==================================
        any `GiveUp`          any          None
        any `RetryLater`      8            None: the attempts are used up
        `AccessRefused`       3 to 8       None: it was not for a moment
        `ObjectChanged`       1 to 7       0: the new version is there now
        `OutOfTime`           1 to 7       0: nothing is wrong with the object
        first `CopyUnproven`  any          0: a second copy decides
        other `RetryLater`    1            3 to 6 seconds
        other `RetryLater`    2            6 to 24, twice 3 to 12
        other `RetryLater`    3            9 to 72, three times 3 to 24
        other `RetryLater`    5            15 to 300, five times 3 to 60
        other `RetryLater`    7            21 to 420, seven times 3 to 60
        ====================  ===========  ==================================

        Args:
            error: why the attempt failed.
            attempts: attempts so far, the failed one included.
            jitter: a random number from 0 to 1.

        Returns:
            Seconds until the next attempt, None if there is none.
        """
        if is_half(error):
            return 0.0
        if isinstance(error, GiveUp) or attempts >= self.max_attempts:
            return None
        if isinstance(error, AccessRefused) and attempts >= REFUSALS:
            return None
        if isinstance(error, ObjectChanged | OutOfTime):
            return 0.0
        doubled = self.least_seconds * 2.0 ** min(attempts, _DOUBLINGS)
        ceiling = min(self.most_seconds, doubled)
        return (self.least_seconds + jitter * (ceiling - self.least_seconds)) * attempts
