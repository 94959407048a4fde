"""Memory and processor time of an idle installation, and its memory after steady work."""

from __future__ import annotations

import time
from collections.abc import Iterator
from http.client import HTTPConnection

from bench import ledgers, load
from bench.figure import Figure, Target
from bench.installation import SUPERVISOR, Installation, installation, key
from bench.processes import Memory, cpu_seconds_of, tree
from bench.setting import Setting

SETTLE_SECONDS = 10.0
"""After the start: what is done once is done then."""

OBJECT_BYTES = 4_096
ANSWER_SECONDS = 30.0
IDLE_PERCENT = 1
OURS = "the service"
"""All of our own processes together."""


def measure(setting: Setting) -> Iterator[Figure]:
    """Watch `./sync run` while there is nothing to do, then work steadily, then look again."""
    plan, stack = setting.plan, setting.stack
    url = ledgers.make(stack.postgres.url, "memory", 0, lambda _: None)
    with installation(setting, "memory", url, OBJECT_BYTES) as service:
        time.sleep(SETTLE_SECONDS)
        groups = _groups(service)
        before = {name: cpu_seconds_of(pids) for name, pids in groups.items()}
        _wait(setting, "idle", plan.idle_seconds)
        busy = {name: cpu_seconds_of(pids) - before[name] for name, pids in groups.items()}
        idle = {name: Memory.of(pids) for name, pids in _groups(service).items()}
        _work(setting, service, url)
        after = {name: Memory.of(pids) for name, pids in _groups(service).items()}
    for name, seconds in busy.items():
        yield Figure(
            f"idle: processor time of {name}",
            [seconds / plan.idle_seconds * 100],
            "% of a core",
            Target(IDLE_PERCENT, at_least=False) if name == OURS else None,
        )
    work = f"{plan.soak_seconds:,} s of {plan.soak_rate} objects/s"
    for name, now in after.items():
        yield Figure(
            f"memory (PSS) of {name} after {work}",
            [now.proportional],
            "MiB",
            None,
            [idle[name].proportional],
            "the same process, idle before that",
            f"RSS {now.resident:.0f} MiB, before {idle[name].resident:.0f}",
        )


def _work(setting: Setting, service: Installation, url: str) -> None:
    """Send requests at a steady pace, and wait until all files are in place."""
    plan = setting.plan
    number = plan.soak_seconds * plan.soak_rate
    done = setting.step("steady work", number)
    counter = ledgers.Counter(url)
    wanted = counter.synced() + number
    connection = HTTPConnection("127.0.0.1", service.port, timeout=ANSWER_SECONDS)
    begun = time.monotonic()
    for n in range(number):
        time.sleep(max(0.0, begun + n / plan.soak_rate - time.monotonic()))
        load.post(connection, setting.stack.secret, key(n))
        done(1)
    connection.close()
    deadline = time.monotonic() + plan.soak_seconds + SETTLE_SECONDS
    while counter.synced() < wanted:
        if time.monotonic() > deadline:
            raise AssertionError(f"{wanted - counter.synced()} of {number} objects are not synced")
        time.sleep(0.1)
    counter.close()


def _wait(setting: Setting, what: str, seconds: int) -> None:
    done = setting.step(what, seconds)
    for _ in range(seconds):
        time.sleep(1)
        done(1)


def _groups(service: Installation) -> dict[str, list[int]]:
    """Return process ids by part; that of the whole service is the first."""
    parts = {name: tree(pid) for name, pid in {**service.processes(), **service.servers}.items()}
    ours = parts.pop(SUPERVISOR)
    return {OURS: ours, SUPERVISOR: [service.pid], **parts}
