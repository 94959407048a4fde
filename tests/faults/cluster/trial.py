"""One fault of a machine, tried: load, strike, repair, rest, check, and a line in the table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.faults.cluster.clients import PacedLoad, TwoDoors
from tests.faults.cluster.cluster import Cluster
from tests.faults.cluster.rates import WINDOW_SECONDS, back_after
from tests.faults.cluster.table import Line
from tests.faults.harness.check import judge
from tests.faults.harness.load import Promises
from tests.faults.harness.stack import SECRET
from tests.helpers.waiting import NotInTime, until

RATE = 15.0
"""Requests a second: little, so that one machine alone keeps up on two cores."""

NORMAL_SECONDS = 6.0
REST_SECONDS = 150.0
WHOLE_SECONDS = 120.0
SOON_SECONDS = 10.0
FAILOVER_SECONDS = 15.0
ANSWER_SECONDS = 10.0


class Arena:
    """Where faults are tried, one after the other, on one cluster.

    Args:
        cluster: the three machines.
        note: takes a line of the table.
        seed: decides names and sizes.
    """

    def __init__(self, cluster: Cluster, note: Callable[[Line], None], seed: int) -> None:
        self.cluster = cluster
        self._note = note
        self._seed = seed

    @contextmanager
    def trial(
        self, fault: str, *, seconds: float = 15.0, within: float | None = SOON_SECONDS
    ) -> Iterator[Callable[[], None]]:
        """Try a fault under load; the block strikes, and repairs what it struck.

        Yields:
            Notes that the fault is complete now: a machine has many containers.

        Args:
            fault: as the table names it.
            seconds: for how long it is measured, from the moment of the fault.
            within: seconds within which accepting and copying must be back at 90 %, although the
                fault lasts; None where that is not asked for.

        Raises:
            AssertionError: something was lost, wrong, double, slow or left over.
        """
        cluster, line, promises = self.cluster, Line(fault), Promises()
        client = TwoDoors(cluster.ports, SECRET, promises)
        began = time.time()
        try:
            # Names that no earlier trial of this cluster had.
            with client, PacedLoad(client, f"{self._seed}-{began:.0f}", self._seed, RATE):
                time.sleep(NORMAL_SECONDS)
                struck = [time.time()]
                yield lambda: struck.append(time.time())
                time.sleep(max(0.0, struck[-1] + seconds + WINDOW_SECONDS - time.time()))
                ended = time.time()
            until(cluster.at_rest, "the work to come to rest", REST_SECONDS)
            line.rest = time.time() - ended
            until(cluster.is_whole, "the cluster to be whole again", WHOLE_SECONDS)
            line.accepting = back_after(client.accepted_at, struck[-1], ended, RATE)
            line.copying = back_after(cluster.synced_at(began), struck[-1], ended, RATE)
            line.slowest, line.refused = client.slowest, client.refused
            line.unanswered = client.unanswered
            verdict = judge(promises, cluster.found(client.counts()), cluster.storage)
            line.take(verdict)
            complaints = list(verdict.complaints)
            if client.slowest > ANSWER_SECONDS:
                complaints.append(f"an answer took {client.slowest:.1f} s")
            if within is not None and max(line.accepting, line.copying) > within:
                complaints.append(f"back after {line.accepting:.1f} and {line.copying:.1f} s")
            assert not complaints, "\n".join([*complaints, cluster.logs(began)])
        except NotInTime as late:
            raise NotInTime(f"{late}\n{cluster.states()}\n{cluster.logs(began)}") from late
        finally:
            self._note(line)
            cluster.clear()
