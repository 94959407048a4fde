"""The context object of Lambda, as far as handlers need it."""

from __future__ import annotations

from typing import Protocol


class Context(Protocol):
    """What a handler needs of the context object that Lambda or the local runtime passes."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the platform stops the function."""
        ...
