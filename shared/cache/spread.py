"""Counters spread over several memcached servers, each counter on one of them.

Which one is decided by rendezvous hashing (D. Thaler, C. Ravishankar, "A name-based mapping scheme
for rendezvous", 1996): every process ranks the servers for a counter alike, in whatever order they
are set, and without a server only its own counters move, each to the next in its rank. There they
count from zero, so that the limits of this share may be reached once more, and are never off.
"""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from shared.cache.interface import Cache, Counter
from shared.errors import CacheUnavailable

Place = tuple[str, int]
"""Host, by name or address, and port."""

LOOK_UP_SECONDS = 30.0
"""Seconds between two look-ups of the hosts' addresses, which follow failures only."""

_RANK_BYTES = 8


class SpreadCache:
    """A `Cache` on several servers.

    A host name with several addresses is that many servers, of IPv4 if it has any: a server that
    has addresses of both kinds is one.

    Args:
        places: of the servers.
        connect: returns the cache at one place; nothing is connected yet.
        clock: monotonic seconds.
        look_up: returns the addresses of a name and port, as `socket.getaddrinfo`.
    """

    def __init__(
        self,
        places: Sequence[Place],
        connect: Callable[[Place], Cache],
        clock: Callable[[], float] = time.monotonic,
        look_up: Callable[..., Sequence[Any]] = socket.getaddrinfo,
    ) -> None:
        self._places = tuple(places)
        self._connect = connect
        self._clock = clock
        self._look_up = look_up
        self._servers: dict[Place, Cache] = {}
        self._known: dict[Place, list[Place]] = {}
        self._looked_up_at: float | None = None
        self._looking_up = threading.Lock()

    def count(self, counters: Sequence[Counter]) -> list[tuple[int, int]]:
        """See `Cache.count`."""
        counted: dict[int, tuple[int, int]] = {}

        def ask(server: Cache, positions: Sequence[int]) -> None:
            counts = server.count([counters[position] for position in positions])
            counted.update(zip(positions, counts, strict=True))

        self._spread(counters, ask)
        return [counted[position] for position in range(len(counters))]

    def take_back(self, counters: Sequence[Counter]) -> None:
        """See `Cache.take_back`."""
        self._spread(
            counters,
            lambda server, positions: server.take_back([counters[p] for p in positions]),
        )

    def ping(self) -> None:
        """Return once every server has answered.

        Raises:
            CacheUnavailable: one did not.
        """
        silent = []
        servers = self._all()
        for (host, port), server in servers.items():
            try:
                server.ping()
            except CacheUnavailable:
                silent.append(f"{host}:{port}")
        if silent:
            self._look_up_soon()
            raise CacheUnavailable(f"{len(silent)} of {len(servers)}: {', '.join(silent)}")

    def close(self) -> None:
        """See `Cache.close`."""
        for server in self._servers.values():
            server.close()

    def _spread(
        self, counters: Sequence[Counter], ask: Callable[[Cache, Sequence[int]], None]
    ) -> None:
        """Ask for each counter the first server of its rank that answers."""
        servers = self._all()
        ranks = {p: _ranked(counter.name, servers) for p, counter in enumerate(counters)}
        while ranks:
            groups: dict[Place, list[int]] = defaultdict(list)
            for position, rank in ranks.items():
                if not rank:
                    raise CacheUnavailable("none of the servers answers")
                groups[rank[0]].append(position)
            for place, positions in groups.items():
                try:
                    ask(servers[place], positions)
                except CacheUnavailable:
                    self._look_up_soon()
                    for position in positions:
                        ranks[position].pop(0)
                else:
                    for position in positions:
                        del ranks[position]

    def _all(self) -> dict[Place, Cache]:
        if self._looked_up_at is None:
            with self._looking_up:
                if self._looked_up_at is None:
                    self._resolve()
        return self._servers

    def _look_up_soon(self) -> None:
        """Look the addresses up again, in a thread of its own: no request waits for that."""
        since = self._looked_up_at or 0.0
        if self._clock() - since < LOOK_UP_SECONDS or not self._looking_up.acquire(blocking=False):
            return
        try:
            threading.Thread(target=self._resolve_and_release, daemon=True).start()
        except RuntimeError:  # no further thread can be started; the next failure tries again
            self._looking_up.release()

    def _resolve_and_release(self) -> None:
        try:
            self._resolve()
        finally:
            self._looking_up.release()

    def _resolve(self) -> None:
        places = dict.fromkeys(p for place in self._places for p in self._addresses(place))
        kept = self._servers
        # A new one each time: those who use the one before go on with it.
        self._servers = {p: kept.get(p) or self._connect(p) for p in places}
        self._looked_up_at = self._clock()
        for place, server in kept.items():
            if place not in places:
                server.close()

    def _addresses(self, place: Place) -> list[Place]:
        """Return the places of a name: itself unless it has several addresses.

        The name of one address stays: its server is found there when it has moved.
        """
        host, port = place
        try:
            found = self._look_up(host, port, type=socket.SOCK_STREAM)
        except OSError:  # unknown for now
            return self._known.get(place, [place])
        families = [family for family, *_ in found]
        wanted = socket.AF_INET if socket.AF_INET in families else socket.AF_INET6
        addresses = {str(address[0]) for family, *_, address in found if family == wanted}
        self._known[place] = [(a, port) for a in addresses] if len(found) > 1 else [place]
        return self._known[place]


def _ranked(name: str, places: Sequence[Place] | dict[Place, Cache]) -> list[Place]:
    """Return the servers in the order in which they are asked for a counter."""

    def score(place: Place) -> bytes:
        text = f"{place[0]}:{place[1]} {name}".encode()
        return hashlib.blake2b(text, digest_size=_RANK_BYTES).digest()

    return sorted(places, key=score)
