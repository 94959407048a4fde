from __future__ import annotations

from concurrent.futures import CancelledError, Future, wait

import pytest

from shared.domain import Fetched
from shared.errors import SourceUnavailable
from shared.sources.outcome import settle

FETCHED = Fetched(1, bytes(32), None, "size")


def test_an_object_or_an_error_becomes_the_futures_outcome() -> None:
    well: Future[Fetched] = Future()
    ill: Future[Fetched] = Future()
    settle(well, FETCHED)
    settle(ill, SourceUnavailable("away"))
    assert well.result(0) is FETCHED
    assert isinstance(ill.exception(0), SourceUnavailable)


@pytest.mark.parametrize("outcome", [FETCHED, SourceUnavailable("away")])
def test_a_cancelled_future_stays_so_and_is_done_only_now(
    outcome: Fetched | SourceUnavailable,
) -> None:
    future: Future[Fetched] = Future()
    assert future.cancel()
    assert wait([future], timeout=0).not_done
    settle(future, outcome)
    assert not wait([future], timeout=0).not_done
    with pytest.raises(CancelledError):
        future.result(0)
