"""Steps that are taken for several requests at the same time, each of which may fail by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from shared.errors import Unavailable

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


def only(outcomes: Sequence[R | Exception]) -> R:
    """Return the result of a single item.

    Raises:
        Exception: the one that it failed with.
    """
    [outcome] = outcomes
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def in_parts(run: Callable[[Sequence[T]], Sequence[R]], items: Sequence[T]) -> list[R | Exception]:
    """Call a function for all items at once, and for ever smaller parts of them where it fails.

    Args:
        run: returns one result for each item, in their order. After an error it is run again with
            parts of what it was given, so it must have done nothing then, or be idempotent. Only an
            outage (`Unavailable`), which would meet each part again, is the error of all the rest.
        items: for which it is called.

    Returns:
        For each item its result, or the error that it failed with by itself.
    """
    outcomes: list[R | Exception] = []
    parts = [items] if items else []
    while parts:
        part = parts.pop()
        try:
            outcomes += [result for _, result in zip(part, run(part), strict=True)]
        except Unavailable as error:
            outcomes += [error] * (len(items) - len(outcomes))
            return outcomes
        except Exception as error:  # the caller has it in the item's place  # noqa: BLE001
            if len(part) == 1:
                outcomes.append(error)
            else:
                half = len(part) // 2
                parts += [part[half:], part[:half]]
    return outcomes
