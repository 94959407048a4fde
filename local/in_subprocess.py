"""Running a function in a process of its own; `python -m local.in_subprocess` is that process."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

ROOT = Path(__file__).parents[1]


def in_subprocess(function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Call a function in a process of its own and return what it returns, or raise its error.

    For what a lasting process needs once, at its start: boto3 alone takes 37 MB, which are never
    given back otherwise. multiprocessing would leave a process of its own behind.

    Args:
        function: of a module, as all that is given to it and comes back is pickled.
        arguments: its arguments.
        named: those that have names.
    """
    finished = subprocess.run(
        [sys.executable, "-m", "local.in_subprocess"],
        input=pickle.dumps((function, arguments, named)),
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    result: T
    result, error = pickle.loads(finished.stdout)  # noqa: S301 - from our own process
    if error is not None:
        raise error
    return result


def _answer(call: bytes) -> bytes:
    function, arguments, named = pickle.loads(call)  # noqa: S301 - from our own process
    result: tuple[Any, Exception | None]
    try:
        result = function(*arguments, **named), None
    except Exception as error:  # noqa: BLE001 - it is raised where the function was called
        result = None, error
    return pickle.dumps(result)


if __name__ == "__main__":
    with os.fdopen(os.dup(1), "wb") as answer:
        os.dup2(2, 1)  # what the function prints is not the answer
        answer.write(_answer(sys.stdin.buffer.read()))
