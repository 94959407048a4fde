"""Many awaits of one event loop under one limit."""

from __future__ import annotations

import asyncio
import time

import pytest

from local.http.deadlines import Deadlines

LIMIT = 0.2


def deadlines() -> Deadlines:
    return Deadlines(asyncio.get_running_loop(), LIMIT)


def test_a_block_that_takes_too_long_is_broken_off() -> None:
    async def late() -> float:
        began = time.monotonic()
        with pytest.raises(TimeoutError), deadlines().limit():
            await asyncio.sleep(60)
        return time.monotonic() - began

    assert LIMIT <= asyncio.run(late()) < 30


def test_a_task_goes_on_as_if_it_had_not_been_cancelled() -> None:
    async def goes_on() -> tuple[int, str]:
        with pytest.raises(TimeoutError), deadlines().limit():
            await asyncio.sleep(60)
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling(), "done"

    assert asyncio.run(goes_on()) == (0, "done")


def test_each_block_has_its_own_time() -> None:
    async def one(limit: Deadlines, pause: float, seconds: float) -> str:
        await asyncio.sleep(pause)
        try:
            with limit.limit():
                await asyncio.sleep(seconds)
        except TimeoutError:
            return "late"
        return "in time"

    async def several() -> list[str]:
        shared = deadlines()
        waits = [(0.0, 60.0), (0.0, 0.0), (LIMIT / 2, 60.0), (1.0, 0.01)]
        return await asyncio.gather(*(one(shared, pause, seconds) for pause, seconds in waits))

    assert asyncio.run(several()) == ["late", "in time", "late", "in time"]


def test_who_is_cancelled_by_somebody_else_is_not_late() -> None:
    async def waits(limit: Deadlines) -> None:
        with limit.limit():
            await asyncio.sleep(60)

    async def cancelled() -> None:
        task = asyncio.create_task(waits(deadlines()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())


def test_what_failed_before_its_time_shows_its_own_error() -> None:
    async def fails() -> None:
        with pytest.raises(EOFError), deadlines().limit():
            raise EOFError

    asyncio.run(fails())
