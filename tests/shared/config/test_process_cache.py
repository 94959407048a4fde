from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.config.process_cache import once_per_process

THREADS = 8


def test_threads_that_come_side_by_side_get_the_same_one() -> None:
    made: list[object] = []
    all_there = threading.Barrier(THREADS, timeout=60)
    making = threading.Event()

    @once_per_process
    def thing() -> object:
        making.wait(10)
        made.append(object())
        return made[-1]

    def ask(_: int) -> object:
        all_there.wait(10)
        if all_there.n_waiting == 0:
            making.set()
        return thing()

    with ThreadPoolExecutor(THREADS) as threads:
        got = set(threads.map(ask, range(THREADS)))
    assert got == {made[0]}
    assert len(made) == 1


def test_a_call_that_failed_is_repeated() -> None:
    results = iter([ValueError("not yet"), "made"])

    @once_per_process
    def thing() -> str:
        result = next(results)
        if isinstance(result, Exception):
            raise result
        return str(result)

    with pytest.raises(ValueError, match="not yet"):
        thing()
    assert thing() == "made"
    assert thing() == "made"
