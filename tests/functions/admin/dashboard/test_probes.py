from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from functions.admin.dashboard.probes import ABSENT, BucketProbe
from shared.errors import AccessRefused, SourceUnavailable
from shared.sources.listing import Page


class Bucket:
    """A listing whose answer the test decides."""

    bucket = "uploads"

    def __init__(self, answer: Callable[[], bool]) -> None:
        self._answer = answer
        self.asked: list[str] = []
        self.closed = False

    def page(self, prefix: str, token: str | None = None, after: str | None = None) -> Page:
        raise NotImplementedError

    def expect(self, prefix: str, token: str) -> None:
        raise NotImplementedError

    def has(self, key: str) -> bool:
        self.asked.append(key)
        return self._answer()

    def close(self) -> None:
        self.closed = True


def test_a_bucket_is_well_if_it_can_be_read_whatever_is_in_it() -> None:
    bucket = Bucket(lambda: False)
    probe = BucketProbe(lambda: bucket)
    probe.close()  # never asked, so nothing is open
    assert not bucket.closed
    probe.ask()
    probe.ask()
    probe.close()
    assert (bucket.asked, bucket.closed) == ([ABSENT, ABSENT], True)


def test_a_refusal_is_passed_on_and_the_next_call_asks_again() -> None:
    def refuse() -> bool:
        raise AccessRefused("s3:ListBucket is not granted on the bucket (403)")

    bucket = Bucket(refuse)
    probe = BucketProbe(lambda: bucket)
    for _ in range(2):
        with pytest.raises(AccessRefused, match="ListBucket"):
            probe.ask()
    assert len(bucket.asked) == 2


def test_a_bucket_that_hangs_holds_one_thread_only() -> None:
    entered, thawed = threading.Event(), threading.Event()

    def freeze() -> bool:
        entered.set()
        return thawed.wait(60)

    bucket = Bucket(freeze)
    probe = BucketProbe(lambda: bucket, seconds=0.05)
    frozen = threading.Thread(target=probe.ask)
    frozen.start()
    assert entered.wait(60)
    with pytest.raises(SourceUnavailable, match="no response in time"):
        probe.ask()
    assert len(bucket.asked) == 1
    thawed.set()
    frozen.join(60)
    probe.ask()
