"""The outcome of a copy, put into the future that the caller of `ObjectSource.fetch` holds."""

from __future__ import annotations

from concurrent.futures import Future, InvalidStateError

from shared.domain import Fetched


def settle(future: Future[Fetched], outcome: Fetched | BaseException) -> None:
    """End a future with the outcome of its copy; the copy must have ended.

    A future that was cancelled stays cancelled, and those who wait for it learn only here that
    its copy has ended: `concurrent.futures.wait` counts it as done from now on.
    """
    try:
        if isinstance(outcome, Fetched):
            future.set_result(outcome)
        else:
            future.set_exception(outcome)
    except InvalidStateError:
        if isinstance(outcome, Fetched) and outcome.file is not None:
            outcome.file.close()
        future.set_running_or_notify_cancel()
