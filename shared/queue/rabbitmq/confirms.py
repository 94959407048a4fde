"""Which published messages the broker has not settled yet. Pure."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Confirms(Generic[T]):
    """The messages in flight on one channel in confirm mode.

    The broker settles by delivery tag, one by one or all up to a tag at once, and singles may
    come out of order (RabbitMQ guide, "Consumer Acknowledgements and Publisher Confirms"). Tags
    count the channel's publishes, from 1.
    """

    def __init__(self) -> None:
        self._last = 0
        self._flying: dict[int, T] = {}  # in order of the tags

    def __len__(self) -> int:
        """Tells how many messages are in flight."""
        return len(self._flying)

    def sent(self, item: T) -> None:
        """Note that the channel's next message went out."""
        self._last += 1
        self._flying[self._last] = item

    def settle(self, tag: int, *, multiple: bool) -> list[T]:
        """Take what a confirm is about out of flight.

        Args:
            tag: the confirm's delivery tag.
            multiple: whether it is about every message up to that tag.
        """
        if not multiple:
            return [self._flying.pop(tag)] if tag in self._flying else []
        settled = []
        for flying in list(self._flying):
            if flying > tag:
                break
            settled.append(self._flying.pop(flying))
        return settled

    def drain(self) -> list[T]:
        """Take everything out of flight, as when the connection is lost."""
        items = list(self._flying.values())
        self._flying.clear()
        return items
