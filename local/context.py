"""The context object of an invocation, as far as our functions use it."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable

_random = random.Random()
# The HTTP server forks its workers. With one seed they would all make the same ids, and the ledger
# would take two requests to different workers for one: see `recorded_by`.
os.register_at_fork(after_in_child=_random.seed)


def request_id() -> str:
    """Return an id in the form of a UUID version 4, several times as fast as `uuid.uuid4`."""
    digits = f"{_random.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


class Context:
    """Lambda's context object (AWS Lambda developer guide, "Using the Lambda context object").

    Args:
        seconds: how long the invocation may take, from now.
        aws_request_id: the invocation's id; a new one when not given.
        clock: a clock that never goes backwards.

    Attributes:
        aws_request_id: id of the invocation.
    """

    __slots__ = ("_clock", "_ends", "aws_request_id")

    def __init__(
        self,
        seconds: float,
        aws_request_id: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.aws_request_id = aws_request_id or request_id()
        self._clock = clock
        self._ends = clock() + seconds

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds that are left."""
        return max(0, int((self._ends - self._clock()) * 1000))


class EndingContext(Context):
    """A context object that has no time left once its process is to end.

    Args:
        seconds: how long the invocation may take.
        ending: whether the process is to end.
    """

    __slots__ = ("_ending",)

    def __init__(self, seconds: float, ending: Callable[[], bool]) -> None:
        super().__init__(seconds)
        self._ending = ending

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds that are left."""
        return 0 if self._ending() else super().get_remaining_time_in_millis()

    def is_stopping(self) -> bool:
        """Return whether the process is to end; on AWS there is no such method."""
        return self._ending()
