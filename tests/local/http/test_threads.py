from __future__ import annotations

import asyncio
import sys

import pytest

from local.http.threads import Threads

SECONDS = 30.0


@pytest.mark.parametrize("end", [lambda: sys.exit(1), lambda: 1 // 0])
def test_a_request_that_ends_its_thread_ends_no_other(end: object) -> None:
    async def run() -> list[str]:
        threads = Threads(asyncio.get_running_loop(), 1)
        done: list[str] = []
        for _ in range(3):
            await asyncio.wait_for(threads.submit(end), SECONDS)  # type: ignore[arg-type]
        await asyncio.wait_for(threads.submit(lambda: done.append("next")), SECONDS)
        threads.close(SECONDS)
        return done

    assert asyncio.run(run()) == ["next"]
