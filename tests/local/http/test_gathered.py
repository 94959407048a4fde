from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from local.http.gathered import AT_ONCE, MOST, Gathered
from local.http.threads import Threads

SECONDS = 30.0


def test_what_comes_while_all_threads_are_busy_is_taken_together() -> None:
    groups: list[list[int]] = []
    begun, go = threading.Semaphore(0), threading.Semaphore(0)

    def run(items: Sequence[int]) -> None:
        groups.append(list(items))
        begun.release()
        assert go.acquire(timeout=SECONDS)

    async def ask() -> None:
        threads = Threads(asyncio.get_running_loop(), AT_ONCE + 1)
        gathered = Gathered(threads, run)
        first = [gathered.submit(0)]
        await asyncio.to_thread(begun.acquire, timeout=SECONDS)
        first.append(gathered.submit(1))
        await asyncio.to_thread(begun.acquire, timeout=SECONDS)
        others = [gathered.submit(number) for number in range(MOST + 1)]
        assert gathered.waiting() == MOST + 1
        # The last thread is free for what comes alone.
        await asyncio.wait_for(threads.submit(lambda: None), SECONDS)
        go.release(4)
        await asyncio.wait_for(asyncio.gather(*first, *others), SECONDS)
        threads.close(SECONDS)

    asyncio.run(ask())
    assert groups == [[0], [1], list(range(MOST)), [MOST]]


def test_a_group_that_fails_ends_neither_its_thread_nor_another_group() -> None:
    ran: list[int] = []

    def run(items: Sequence[int]) -> None:
        ran.extend(items)
        if 0 in items:
            raise SystemExit

    async def ask() -> None:
        threads = Threads(asyncio.get_running_loop(), 1)
        gathered = Gathered(threads, run)
        for number in range(3):
            await asyncio.wait_for(gathered.submit(number), SECONDS)
        threads.close(SECONDS)

    asyncio.run(ask())
    assert ran == [0, 1, 2]


def test_other_jobs_have_their_turn_between_two_groups() -> None:
    ran: list[object] = []
    go = threading.Event()

    def run(items: Sequence[int]) -> None:
        assert go.wait(SECONDS)
        ran.append(list(items))

    async def ask() -> None:
        threads = Threads(asyncio.get_running_loop(), 1)
        gathered = Gathered(threads, run)
        numbers = [gathered.submit(number) for number in range(4 * MOST)]
        other = threads.submit(lambda: ran.append("other"))
        go.set()
        await asyncio.wait_for(asyncio.gather(other, *numbers), SECONDS)
        threads.close(SECONDS)

    asyncio.run(ask())
    assert ran.index("other") < len(ran) - 1
