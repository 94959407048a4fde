"""What becomes of a whole copy whose bytes nothing proves: a pure rule, reusable by any source."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from shared.domain import UnprovenCopy
from shared.errors import ContentMismatch, CopyUnproven


class EtagMismatch(enum.StrEnum):
    """What an ETag is worth that looks like an MD5 and is not that of the bytes that came."""

    COMPARE = "compare"
    """Nothing by itself: a second download must bring the same bytes."""
    FAIL = "fail"
    """It is the MD5, and the bytes are wrong."""
    ACCEPT = "accept"
    """Nothing: the size alone counts."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The judge of one attempt's copy.

    Attributes:
        policy: of the settings.
        earlier: the copy of an earlier attempt that nothing proved.
    """

    policy: EtagMismatch = EtagMismatch.COMPARE
    earlier: UnprovenCopy | None = None

    def verdict(
        self, about: str, copy: UnprovenCopy, *, whole: bool = True, differs: bool = True
    ) -> str:
        """Return what a copy is verified by.

        =========  ========  ==========================  =============================
        policy     whole     earlier copy                verdict
        =========  ========  ==========================  =============================
        `fail`     any       any                         `ContentMismatch`, if `differs`
        `accept`   yes       any                         "size, not the ETag"
        others     any       same ETag, size, SHA-256    "two equal downloads"
        others     any       another, or none            `CopyUnproven`: compare again
        =========  ========  ==========================  =============================

        Two equal downloads prove that nothing was spoiled by chance on the way. What spoils every
        download alike, at the same place of the object, they do not show.

        Args:
            about: what contradicts the copy.
            copy: what came.
            whole: whether its end is known to be the object's.
            differs: whether something contradicts the copy; otherwise nothing confirms it.

        Raises:
            ContentMismatch: it must not be taken.
        """
        if self.policy is EtagMismatch.FAIL and differs:
            raise ContentMismatch(about)
        if self.policy is EtagMismatch.ACCEPT and whole:
            return "size, not the ETag"
        if copy == self.earlier:
            return "two equal downloads"
        first = self.earlier is None
        next_step = "a second download decides" if first else "two downloads differ"
        raise CopyUnproven(f"{about}; {next_step}", copy, first=first)
