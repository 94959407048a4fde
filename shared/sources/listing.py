"""What a source has, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol


class ListedObject(NamedTuple):
    """One object as a listing describes it; there are millions, and a dataclass takes longer.

    Attributes:
        key: its key; bytes that are no UTF-8 are lone surrogates.
        size: bytes.
        etag: without quotes, None where the source gives none.
        modified: when it was made (aware), None where the source does not say.
    """

    key: str
    size: int
    etag: str | None
    modified: datetime | None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing.

    Attributes:
        objects: in the source's order.
        token: asks for the next page; None for the last one.
    """

    objects: Sequence[ListedObject]
    token: str | None


class Listing(Protocol):
    """Lists the objects of a source. An incomplete answer is an error, never a shorter page."""

    bucket: str
    """Name of what is listed."""

    def page(self, prefix: str, token: str | None = None, after: str | None = None) -> Page:
        """Return a page.

        Args:
            prefix: of the keys; empty for all.
            token: of the page before; None for the first one.
            after: begin the first one behind this key.

        Raises:
            TransferError: the page could not be read as a whole.
        """
        ...

    def expect(self, prefix: str, token: str) -> None:
        """Begin to fetch the page that will be asked for next, and return at once; one at a time.

        It is no promise: another page may be asked for, and whatever fails is raised by `page`.

        Args:
            prefix: as `page` will be given.
            token: as `page` will be given.
        """
        ...

    def has(self, key: str) -> bool:
        """Return whether there is an object of a key.

        Raises:
            TransferError: the source does not tell.
        """
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...
