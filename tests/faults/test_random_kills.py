"""Anything may die at any moment, for some minutes."""

from __future__ import annotations

import os
import random
import time

from tests.faults.harness.arena import Arena

SHORT_SECONDS = 8.0
ROUND_SECONDS = 30.0


def kill_at_random(arena: Arena, seconds: float, chance: random.Random) -> int:
    stack = arena.stack
    servers = [stack.servers.postgres, stack.servers.memcached, stack.servers.store]
    kills = 0
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        time.sleep(chance.uniform(0.3, 2.0))
        if chance.random() < 0.8:
            chance.choice(stack.services).kill()
        else:
            server = chance.choice(servers)
            server.kill()
            time.sleep(chance.uniform(0.0, 1.0))
            server.start()
        kills += 1
    return kills


def test_nothing_is_lost_whatever_dies_whenever(arena: Arena, *, long: bool) -> None:
    chance = random.Random(arena.seed)
    minutes = float(os.environ.get("MINUTES", "5"))
    rounds = max(1, round(minutes * 60 / ROUND_SECONDS)) if long else 1
    for _ in range(rounds):
        with arena.trial("killed at random moments") as trial:
            with trial.load(rate=30.0):
                trial.times = kill_at_random(
                    arena, ROUND_SECONDS if long else SHORT_SECONDS, chance
                )
            arena.stack.start()
