from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable

import pytest

from shared.threads import SupervisedThread, thread_faults
from tests.helpers.waiting import join, until

SECONDS = 30.0


class Failing:
    """Work that fails some times, then waits to be ended."""

    def __init__(self, *errors: BaseException) -> None:
        self._errors = list(errors)
        self.told: list[BaseException] = []
        self.works = threading.Event()
        self.ends = threading.Event()

    def work(self) -> None:
        if self._errors:
            raise self._errors.pop(0)
        self.works.set()
        assert self.ends.wait(SECONDS)

    def thread(self, on_fault: Callable[[BaseException], None] | None = None) -> SupervisedThread:
        return SupervisedThread(
            "failing", self.work, on_fault or self.told.append, first_pause_seconds=0.01
        )


def test_work_that_raises_is_begun_again(caplog: pytest.LogCaptureFixture) -> None:
    errors = [ZeroDivisionError("oops"), SystemExit(1), MemoryError()]
    failing = Failing(*errors)
    thread = failing.thread()
    thread.start()

    assert failing.works.wait(SECONDS)
    assert failing.told == errors
    assert "failing" in thread_faults()
    failing.ends.set()
    join(thread)
    failed = [r for r in caplog.records if r.levelno == logging.CRITICAL]
    assert [r.getMessage() for r in failed] == ["thread failed, it is started again"] * 3
    assert all(r.exc_info for r in failed)
    assert [r.__dict__["pause_seconds"] for r in failed] == [0.01, 0.02, 0.04]


def test_work_that_returns_ends_the_thread() -> None:
    failing = Failing()
    failing.ends.set()
    thread = failing.thread()
    thread.start()
    join(thread)
    assert failing.told == []
    assert thread.fault() == ""


def test_a_fault_after_a_fault_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    failing = Failing(ValueError("first"))
    thread = failing.thread(on_fault=lambda _: sys.modules["no such module"])  # type: ignore[arg-type]
    thread.start()
    assert failing.works.wait(SECONDS)
    failing.ends.set()
    join(thread)
    assert "fault after a thread's fault" in caplog.text


def test_a_stop_ends_the_pause_and_lets_the_work_close_what_it_has_open() -> None:
    failing = Failing(ValueError("first"))
    thread = SupervisedThread("failing", failing.work, first_pause_seconds=SECONDS * 10)
    thread.start()
    until(thread.fault)
    thread.stop()
    assert failing.works.wait(SECONDS)
    failing.ends.set()
    join(thread)


def test_work_that_fails_once_it_was_told_to_stop_is_not_begun_again() -> None:
    failing = Failing(*[ValueError()] * 10)
    thread = failing.thread()
    thread.stop()
    thread.start()
    join(thread)
    assert len(failing.told) == 1


def test_a_thread_that_has_run_for_long_is_healthy_again() -> None:
    now = 0.0
    failing = Failing(ValueError("first"))
    thread = SupervisedThread("failing", failing.work, first_pause_seconds=0.01, clock=lambda: now)
    thread.start()
    assert failing.works.wait(SECONDS)
    assert thread.fault() == "ValueError: first"
    now = 61.0
    assert thread.fault() == ""
    failing.ends.set()
    join(thread)
