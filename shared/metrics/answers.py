"""Counting what requests are answered with."""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus

from shared.metrics import tally
from shared.metrics.catalog import REQUESTS
from shared.metrics.tally import reason_class


def count_answer(function: str, status: int, error: Exception | None = None) -> None:
    """Count an answer.

    Args:
        function: that gives it.
        status: its HTTP status.
        error: one of `shared.errors`, where it is why the request was refused.
    """
    reason = reason_class(type(error)) if error else _reason(status)
    tally.count(REQUESTS, function, _text(status), reason)


@lru_cache
def _reason(status: int) -> str:
    if status < HTTPStatus.BAD_REQUEST:
        return "ok"
    return HTTPStatus(status).phrase.lower().replace(" ", "_").replace("-", "_")


@lru_cache
def _text(status: int) -> str:
    return str(int(status))
