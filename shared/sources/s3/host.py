"""What a copy needs of the source that it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from shared.domain import Fetched, Wanted
from shared.sources.s3.aim import Aim
from shared.sources.s3.receiver import Receiver

if TYPE_CHECKING:
    from shared.sources.s3.download import Copy


class Host(Protocol):
    """Called on the transport's thread, unless said otherwise."""

    def get(self, aim: Aim, headers: list[str], receiver: Receiver) -> None:
        """Starts a request; not from within a receiver's `on_head` or `on_body`."""
        ...

    def abort(self, receiver: Receiver) -> None:
        """Ends a request silently; not from within those either."""
        ...

    def soon(self, function: Callable[[], None]) -> None:
        """Runs `function` on the transport's thread, after what is running there."""
        ...

    def work(self, function: Callable[[], None], then: Callable[[], None]) -> None:
        """Runs `function` on a pool thread and `then` back on the transport's."""
        ...

    def clock(self) -> float:
        """Gives seconds that only grow."""
        ...

    def borrow_stream(self) -> bool:
        """Asks for one more connection than the copy's own."""
        ...

    def return_stream(self) -> None:
        """Gives a borrowed connection back."""
        ...

    def part_size(self, key: str, number: int) -> tuple[int, int]:
        """Gives the size of a numbered part and the number of parts; may block."""
        ...

    def aim(self, key: str, region: str) -> Aim:
        """Gives URL and signing for another region; may block."""
        ...

    def within_grace(self, wanted: Wanted) -> bool:
        """Says whether a missing object may yet become visible."""
        ...

    def ended(self, copy: Copy, outcome: Fetched | BaseException) -> None:
        """Takes the outcome; the copy does nothing more."""
        ...
