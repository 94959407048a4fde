"""The objects of a bucket as moto keeps them, watched for changes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from moto.s3.utils import _VersionedKeyStore


class WatchedKeys(_VersionedKeyStore):
    """moto's objects of a bucket, which notes the names that change."""

    def __init__(self) -> None:
        super().__init__()
        self.changed: deque[str] = deque()  # its methods are atomic, unlike a set's traversal

    def setlist(self, key: Any, list_: Any) -> Any:
        """Replace the versions of an object."""
        super().setlist(key, list_)
        self.changed.append(key)

    def __setitem__(self, key: str, value: Any) -> Any:
        """Add a version of an object."""
        super().__setitem__(key, value)
        self.changed.append(key)

    def pop(self, key: str) -> None:  # type: ignore[override] # as moto has it
        """Remove an object."""
        super().pop(key)
        self.changed.append(key)

    def take_changed(self) -> Iterator[str]:
        """Yield every name that changed, and forget it."""
        while self.changed:
            yield self.changed.popleft()
