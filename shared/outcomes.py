"""Steps that are taken for several requests at the same time, each of which may fail by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def each(step: Callable[[T], R], items: Iterable[T | Exception]) -> list[R | Exception]:
    """Take a step with one item after the other.

    Args:
        step: with one item.
        items: an error among them is that of an earlier step, and stays in its place.

    Returns:
        In the place of each item its result, or the error that it failed with.
    """
    results: list[R | Exception] = []
    for item in items:
        if isinstance(item, Exception):
            results.append(item)
            continue
        try:
            results.append(step(item))
        except Exception as error:  # its own alone, and raised or answered for it  # noqa: BLE001
            results.append(error)
    return results


def together(
    step: Callable[[Sequence[T]], Sequence[R | Exception]], items: Sequence[T | Exception]
) -> list[R | Exception]:
    """Take a step with all items at once.

    Args:
        step: returns the result or the error of each; what it raises is the error of all.
        items: as of `each`.

    Returns:
        As `each`.
    """
    good = [item for item in items if not isinstance(item, Exception)]
    if not good:
        return [item for item in items if isinstance(item, Exception)]
    try:
        results = iter(step(good))
    except Exception as error:  # as above  # noqa: BLE001
        results = iter([error] * len(good))
    return [item if isinstance(item, Exception) else next(results) for item in items]
