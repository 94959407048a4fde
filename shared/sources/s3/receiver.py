"""Who gets the answer to a request."""

from __future__ import annotations

from typing import Protocol

from shared.errors import RetryLater


class Receiver(Protocol):
    """Every method is called on the transport's thread."""

    def on_head(self, status: int, headers: dict[str, str]) -> bool:
        """Takes the status and the headers (names lower-case); False ends the transfer."""
        ...

    def on_body(self, data: bytes) -> bool:
        """Takes the next bytes of the body; False ends the transfer."""
        ...

    def on_end(self, error: RetryLater | None) -> None:
        """The transfer has ended; `error` says what cut it short, None that it is complete."""
        ...
