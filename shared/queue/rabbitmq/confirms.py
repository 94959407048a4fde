"""Publisher confirms: which published messages the broker has not settled yet. Pure."""

from __future__ import annotations

from itertools import takewhile
from typing import Generic, TypeVar

T = TypeVar("T")


class Confirms(Generic[T]):
    """The messages in flight on one channel in confirm mode.

    The broker settles by delivery tag, one by one or all up to a tag at once, and single ones may
    be out of order (RabbitMQ guide, "Consumer Acknowledgements and Publisher Confirms"). Tags
    count the channel's publishes, from 1.
    """

    def __init__(self) -> None:
        self._last = 0
        self._in_flight: dict[int, T] = {}  # in the order of the tags

    def __len__(self) -> int:
        """Return how many messages are in flight."""
        return len(self._in_flight)

    def sent(self, item: T) -> None:
        """Note that the channel's next message was sent."""
        self._last += 1
        self._in_flight[self._last] = item

    def settle(self, tag: int, *, multiple: bool) -> list[T]:
        """Remove what a confirm settles, and return it.

        Args:
            tag: the confirm's delivery tag.
            multiple: whether it settles every message up to that tag.
        """
        if not multiple:
            return [self._in_flight.pop(tag)] if tag in self._in_flight else []
        numbers = list(takewhile(lambda number: number <= tag, self._in_flight))
        return [self._in_flight.pop(number) for number in numbers]

    def drain(self) -> list[T]:
        """Remove everything, as when the connection is lost, and return it."""
        items = list(self._in_flight.values())
        self._in_flight.clear()
        return items
