"""Asks several servers at the same time: one that is frozen does not delay the others."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """The outcome of one question.

    Attributes:
        values: what it yielded in time, in order.
        error: what it raised, None if nothing.
        ended: False if it had not ended within the time limit.
    """

    values: tuple[T, ...]
    error: Exception | None
    ended: bool


def ask_all(
    questions: Mapping[str, Callable[[], Iterator[T]]], seconds: float
) -> dict[str, Answer[T]]:
    """Ask every question in a thread of its own, and return the answers in the questions' order.

    The threads are daemons: one that waits for a server forever does not keep the process alive.

    Args:
        questions: by name, functions that yield the parts of an answer.
        seconds: time limit of all of them together.
    """
    deadline = time.monotonic() + seconds
    told: dict[str, list[T]] = {name: [] for name in questions}
    ends: queue.SimpleQueue[tuple[str, Exception | None]] = queue.SimpleQueue()

    def ask(name: str) -> None:
        error: Exception | None = None
        try:
            for value in questions[name]():
                told[name].append(value)
        except Exception as met:  # noqa: BLE001 # the caller handles it
            error = met
        ends.put((name, error))

    for name in questions:
        threading.Thread(target=ask, args=(name,), name=f"ask {name}", daemon=True).start()
    errors: dict[str, Exception | None] = {}
    while len(errors) < len(questions):
        try:
            name, error = ends.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        errors[name] = error
    return {
        name: Answer(tuple(told[name]), errors.get(name), ended=name in errors)
        for name in questions
    }
