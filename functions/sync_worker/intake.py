"""Which rows an invocation claims next: a slice at a time, fresh ones first."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from functions.sync_worker.batch import Batch
from functions.sync_worker.pace import Pace
from shared.ledger.ledger import Ledger
from shared.ledger.rows import Claim

MOST_HELD = 16
"""Largest number of unsettled objects, as a multiple of those that are copied at once: these, and
those that wait for a slow disk. The latter need no connection, and the more there are, the more of
them share the disk's next sync."""

HELD_UP_SECONDS = 0.25
"""An invocation that takes longer than this many seconds looks for rows whose messages wait behind
its own, and repeats that as often. A request that comes behind a dead worker's batch, or any other
backlog, then waits for one slice and not for all of it."""

AGAIN_SECONDS = 0.1
"""How often rows that wait for another of their name are looked at."""

STAY_SECONDS = 2.0
"""How long an invocation that has nothing else stays for rows of which another worker attempts one.
Where that takes longer than `SLOW_SECONDS`, it is the other worker that goes on with them."""

FOLLOWERS = 1_000
"""Most rows that it takes over at once; the others are due, and delivered again."""


@dataclass(frozen=True, slots=True)
class Config:
    """How long a claim is held, how often a row is attempted, and how many are copied at once.

    Attributes:
        lease_seconds: how long a claim lasts without a heartbeat of its worker.
        max_attempts: attempts that a row has.
        concurrency: objects that the source copies at once.
        delivery_seconds: how long a message may take.
        standing_seconds: how long a copy, or a group that is settled, may make no progress. At
            1 KiB a second a source writes every 256 s, and ends a slower download itself.
    """

    lease_seconds: float
    max_attempts: int
    concurrency: int = 32
    delivery_seconds: float = 30.0
    standing_seconds: float = 300.0


class Intake:
    """The rows that one invocation may still claim.

    A suspect, whose last worker is presumed dead, may kill this one too. Suspects come after the
    fresh rows of the invocation, and take at most half of the concurrency. One that two workers
    died with is attempted as the only suspect, so that another death is its own.

    Of rows of one name one is attempted, and the others wait: then its file serves them as well.

    Args:
        config: how many, and for how long.
        ledger: where rows are claimed.
        row_ids: the rows that the invocation's messages name.
        pace: how many are claimed ahead.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        row_ids: Iterable[int],
        pace: Pace,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config, self._ledger, self._pace, self._clock = config, ledger, pace, clock
        self._own = frozenset(row_ids)
        self._fresh = deque(sorted(self._own))
        self._suspects: list[int] = []
        self._waiting: dict[str, deque[int]] = {}  # by file name
        self._again_at = self._busy_at = clock()
        self._taken: set[int] = set()
        self._grouped = True
        self._own_turn = False
        self._claimed: tuple[float, int] | None = None  # when, and how many had ended by then
        self._named_at = clock()
        self._look_at = self._named_at + HELD_UP_SECONDS

    @property
    def left(self) -> list[int]:
        """The rows that were named and that may be claimed yet."""
        return [*self._fresh, *chain.from_iterable(self._waiting.values()), *self._suspects]

    @property
    def is_waiting(self) -> bool:
        """Whether there are rows that wait for another of their name."""
        return bool(self._waiting)

    def has_work(self, held: int) -> bool:
        """Return whether the invocation goes on.

        Args:
            held: the number of unsettled transfers.
        """
        if held:
            self._busy_at = self._clock()
        stays = self._waiting and self._clock() - self._busy_at < STAY_SECONDS
        return bool(held or self._fresh or self._suspects or stays)

    def fresh(self, batch: Batch) -> list[Claim]:
        """Claim rows that are not suspects, as many as there is room for.

        Args:
            batch: the unsettled transfers.

        Raises:
            LedgerUnavailable: nothing can be claimed.
        """
        room = self._room(batch)
        if room < self._pace.rows - self._pace.few:
            return []
        self._adapt(batch)
        room = self._room(batch)
        if room <= 0:
            return []
        claims = [] if self._own_turn else self._undelivered(room, batch)
        self._own_turn = bool(claims)
        return claims or self._named(room)

    def suspects(self, batch: Batch) -> list[Claim]:
        """Claim suspects, if it is their turn.

        Args:
            batch: the unsettled transfers.

        Raises:
            LedgerUnavailable: nothing can be claimed.
        """
        if self._fresh or not self._suspects:
            return []
        unsettled = batch.holds(self._taken)
        if batch.held > unsettled and self._clock() - self._named_at < HELD_UP_SECONDS:
            return []  # what is nearly done must not be lost with them
        if self._grouped:
            most = max(1, self._config.concurrency // 2)
            room = most - unsettled
            claims = self._claim_suspects(room, grouped=True) if room >= max(1, most // 4) else []
        else:
            claims = [] if unsettled else self._claim_suspects(1, grouped=False)
        return claims

    def probe(self) -> list[Claim]:
        """Claim the row that was attempted least, a suspect if there is no other.

        One object that is refused for a reason of its own must not be every probe.

        Raises:
            LedgerUnavailable: nothing can be claimed.
        """
        self._fresh.extend(chain.from_iterable(self._waiting.values()))
        self._waiting.clear()
        claims = self._claim(self._fresh, most=1) if self._fresh else []
        if claims:
            self._fresh.remove(claims[0].wanted.row_id)
            return claims
        self._suspects += self._fresh
        self._fresh.clear()
        return self._claim_suspects(1, grouped=False) if self._suspects else []

    def take_back(self, row_ids: Iterable[int]) -> None:
        """Take rows that a pause gave back; they are claimed again, after all others."""
        self._fresh.extend(row_ids)

    def follow(self, ended: Sequence[Claim]) -> None:
        """Take rows that waited for others of their names, wherever their messages are.

        Args:
            ended: the claims of the others.

        Raises:
            LedgerUnavailable: the rows cannot be found.
        """
        if ended:
            known = {*self.left, *(claim.wanted.row_id for claim in ended)}
            found = self._ledger.waiting_for([c.wanted.file_name for c in ended], FOLLOWERS)
            self._fresh.extend(row_id for row_id in found if row_id not in known)

    def _room(self, batch: Batch) -> int:
        held = MOST_HELD * self._config.concurrency
        return min(self._pace.rows - batch.running, held - batch.held)

    def _adapt(self, batch: Batch) -> None:
        """Adapt the pace to what has ended since the last claim of this invocation."""
        now = self._clock()
        if self._claimed is not None:
            at, ended = self._claimed
            self._pace.adapt(batch.ended_count - ended, now - at)
            batch.few = self._pace.few
        self._claimed = now, batch.ended_count

    def _named(self, room: int) -> list[Claim]:
        """Claim rows that the messages named, those first that have waited for another."""
        claims: list[Claim] = []
        if self._waiting and self._clock() >= self._again_at:
            claims = self._claim_waiting(room)
            if not claims:
                self._again_at = self._clock() + AGAIN_SECONDS
        if self._fresh:
            self._named_at = self._clock()
        # Not for the last few, as pairs of one name would leave half of the room each time.
        while self._fresh and room - len(claims) >= max(1, room // 4):
            count = min(room - len(claims), len(self._fresh))
            claims += self._claim_some([self._fresh.popleft() for _ in range(count)])
        return claims

    def _claim_waiting(self, room: int) -> list[Claim]:
        """Claim a row of each name that rows wait for; the others of the name come next."""
        rows = {name: self._waiting.pop(name) for name in list(islice(self._waiting, room))}
        claims = self._claim_some([of_name.popleft() for of_name in rows.values()])
        for name, others in rows.items():
            # Where the first one waits again, the others do.
            self._waiting.get(name, self._fresh).extend(others)
        return claims

    def _claim_some(self, row_ids: Sequence[int]) -> list[Claim]:
        """Claim some rows; one that cannot be claimed waits, or may be a suspect."""
        claims = self._claim(row_ids, one_per_name=True)
        if left := set(row_ids) - {claim.wanted.row_id for claim in claims}:
            waiting = self._ledger.waiting(sorted(left), self._config.max_attempts)
            for row_id, name in waiting.items():
                self._waiting.setdefault(name, deque()).append(row_id)
            self._suspects += left - waiting.keys()
        return claims

    def _undelivered(self, room: int, batch: Batch) -> list[Claim]:
        """Claim rows whose messages wait behind this invocation's own, if it is held up.

        The event source mapping delivers no message before the invocation has ended. While rows of
        its own are left they take turns with these: neither may wait for the end of the other.
        """
        if self._clock() < self._look_at or not (self.left or batch.holds(self._own)):
            return []
        newest = room if self._fresh else -(-room // 2)
        row_ids = self._ledger.undelivered(room, newest, self._config.delivery_seconds)
        claims = self._claim(row_ids, one_per_name=True) if row_ids else []
        if not claims:
            self._look_at = self._clock() + HELD_UP_SECONDS
        claimed = {claim.wanted.row_id for claim in claims}
        if not claimed.isdisjoint(self._own):
            self._fresh = deque(row_id for row_id in self._fresh if row_id not in claimed)
        return claims

    def _claim_suspects(self, most: int, *, grouped: bool) -> list[Claim]:
        claims = self._claim(self._suspects, suspect=True, grouped=grouped, most=most)
        claimed = {claim.wanted.row_id for claim in claims}
        self._taken |= claimed
        self._suspects = [row_id for row_id in self._suspects if row_id not in claimed]
        if len(claims) < most:
            if not grouped:
                self._suspects = []  # they have ended, or other workers have them
            self._grouped = False
        return claims

    def _claim(
        self,
        row_ids: Collection[int],
        *,
        suspect: bool = False,
        grouped: bool = False,
        one_per_name: bool = False,
        most: int | None = None,
    ) -> list[Claim]:
        return self._ledger.claim(
            row_ids,
            lease_seconds=self._config.lease_seconds,
            max_attempts=self._config.max_attempts,
            suspect=suspect,
            grouped=grouped,
            one_per_name=one_per_name,
            most=most,
        )
