"""One running transfer: a claim, its part file, and the future of its content."""

from __future__ import annotations

import logging
import time
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from pathlib import Path

from shared.domain import Fetched
from shared.errors import (
    LedgerLost,
    OutOfTime,
    SourceUnavailable,
    TransferError,
    WorkerStopping,
)
from shared.ledger.rows import Claim
from shared.sources.interface import ObjectSource

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Transfer:
    """A claimed object on its way into its part file.

    Attributes:
        claim: the row, for this attempt.
        part: the part file; None if the storage provided none.
        content: the future of the verified content.
        begun: whether it was broken off while bytes were written or read.
        broken_off: why it was, None if it was not.
        seen: the steps of its progress when they were last looked at.
        moved_at: when they last differed from the time before, in monotonic seconds.
        claimed_at: when its row was claimed, in monotonic seconds.
        started_at: when it was started, likewise: opening the part file may take long.
        ended_at: when its source was done, likewise; 0 before.
        result: the verified content once it was asked for, to spare the future's locks.
    """

    claim: Claim
    part: Path | None
    content: Future[Fetched]
    begun: bool = False
    broken_off: TransferError | None = None
    seen: int = -1
    moved_at: float = 0.0
    claimed_at: float = field(default_factory=time.monotonic)
    started_at: float = field(default_factory=time.monotonic)
    ended_at: float = 0.0
    result: Fetched | None = None

    @property
    def row_id(self) -> int:
        """The ledger row."""
        return self.claim.wanted.row_id

    def break_off(self, why: TransferError) -> bool:
        """End the transfer soon; one that has ended already is left as it is.

        Args:
            why: becomes its error.

        Returns:
            Whether it was broken off. Its source may write for a moment longer, see
            `ObjectSource.fetch`.
        """
        # A source may drop a short part as it ends, so this is the moment to look.
        if not self.content.done():
            # A file that is read again has no part.
            self.begun = self.claim.wanted.progress.steps > 0 or (
                self.part is not None and self.part.exists()
            )
            self.broken_off = why
        return not self.content.done() and self.content.cancel()

    @property
    def is_free(self) -> bool:
        """Whether its end uses up no attempt.

        ==========================  ======================================  =====
        broken off, because         and                                     free
        ==========================  ======================================  =====
        the worker stops            whatever it has done                    yes
        the database is lost        whatever it has done                    yes
        no time is left             it had not begun                        yes
        no time is left             more of it is proven than at its start  yes
        no time is left             nothing more is proven                  no
        it makes no progress        whatever it has done                    no
        ==========================  ======================================  =====
        """
        error, progress = self.error, self.claim.wanted.progress
        if isinstance(error, WorkerStopping | LedgerLost):
            return True
        return isinstance(error, OutOfTime) and (
            not self.begun or progress.proven > progress.continued
        )

    def stands_since(self, now: float) -> float:
        """Return since when it has made no progress, in monotonic seconds, and look at it.

        Args:
            now: returned if it has moved, has ended, or waits for its turn.
        """
        progress = self.claim.wanted.progress
        if progress.steps != self.seen or not progress.begun or self.content.done():
            self.seen, self.moved_at = progress.steps, now
        return self.moved_at

    @property
    def fetched(self) -> Fetched | None:
        """The verified content, if the transfer succeeded."""
        if self.result is None and self.content.done() and not self.content.cancelled():
            self.result = None if self.content.exception() else self.content.result()
        return self.result

    @property
    def error(self) -> TransferError | None:
        """Why the transfer ended without content; None if it succeeded."""
        if self.result is not None:
            return None
        if not self.content.done():
            return self.broken_off or OutOfTime()
        try:
            self.result = self.content.result()
        except TransferError as error:
            return error
        except CancelledError:
            return self.broken_off or OutOfTime()
        except Exception as error:
            # A defect of our own in one transfer must not affect the others of its batch.
            logger.exception(
                "defect in a transfer",
                extra={"row_id": self.row_id, "request_id": self.claim.request_id},
            )
            return SourceUnavailable(f"unexpected {type(error).__name__}")
        return None


def start_transfer(
    claim: Claim, part: Path | TransferError, source: ObjectSource, claimed_at: float
) -> Transfer:
    """Start copying a claimed object; whatever is wrong ends up in the transfer's future.

    Args:
        claim: the row, for this attempt.
        part: its part file, or why the storage provides none.
        source: where the object is.
        claimed_at: see `Transfer`.
    """
    if isinstance(part, TransferError):
        return Transfer(claim, None, _refused(part), claimed_at=claimed_at)
    try:
        content = source.fetch(claim.wanted, part)
    except Exception as error:  # noqa: BLE001 - see `Transfer.error`
        content = _refused(error)
    return Transfer(claim, part, content, claimed_at=claimed_at)


def _refused(error: Exception) -> Future[Fetched]:
    future: Future[Fetched] = Future()
    future.set_exception(error)
    return future
