from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cache.memcached import MemcachedCache
from shared.cache.memory import MemoryCache
from shared.cache.postgres import QUERIES, PostgresCache
from shared.config.parsers import RateLimit
from shared.errors import LedgerUnavailable, TooManyRequests
from shared.http.rate_limit import Limited, RateLimiter, retry_after
from shared.ledger.database import Database
from tests.helpers.fake_cache import FakeCache
from tests.helpers.servers import free_port

FIFTY = RateLimit(50, 60)
HOUR = 1_795_428_000.0
"""The beginning of a fixed window of a second, a minute and an hour."""


class Clock:
    """A clock that only moves when a test sets it."""

    now = HOUR

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(clock: Clock) -> RateLimiter:
    return RateLimiter(MemoryCache(clock), clock)


def allowed(limiter: RateLimiter, *limited: Limited) -> bool:
    try:
        limiter.check(limited)
    except TooManyRequests:
        return False
    return True


def documented() -> list[tuple[int, int, float, int]]:
    """Return the rows of the table in the docstring."""
    rows = re.findall(r"^ +(\d+) +(\d+) +(\d+) +(\d+),", retry_after.__doc__ or "", re.MULTILINE)
    return [(int(c), int(p), float(e), int(a)) for c, p, e, a in rows]


@pytest.mark.parametrize(("current", "previous", "elapsed", "answer"), documented())
def test_the_table_in_the_docstring_is_true(
    current: int, previous: int, elapsed: float, answer: int
) -> None:
    assert retry_after(FIFTY, current, previous, elapsed) == answer


def test_the_table_is_read_whole() -> None:
    assert len(documented()) == 5


@given(
    limit=st.builds(RateLimit, st.integers(1, 10_000), st.sampled_from([1, 60, 3600])),
    current=st.integers(1, 12_000),
    previous=st.integers(0, 12_000),
    share=st.floats(0, 1, exclude_max=True),
)
def test_a_request_is_accepted_after_the_announced_wait(
    limit: RateLimit, current: int, previous: int, share: float
) -> None:
    elapsed = share * limit.seconds
    wait = retry_after(limit, current, previous, elapsed)
    assert 0 <= wait <= 2 * limit.seconds + 1
    if not wait:
        return
    later = elapsed + wait + 1e-6
    if later < limit.seconds:
        assert retry_after(limit, current, previous, later) == 0
    elif later < 2 * limit.seconds:
        assert retry_after(limit, 1, current - 1, later - limit.seconds) == 0


def test_the_fiftieth_is_let_in_and_the_next_is_not(limiter: RateLimiter) -> None:
    answers = [allowed(limiter, Limited("a", FIFTY)) for _ in range(52)]
    assert answers == [True] * 50 + [False] * 2


def test_the_window_slides(limiter: RateLimiter, clock: Clock) -> None:
    for _ in range(50):
        assert allowed(limiter, Limited("a", FIFTY))
    clock.now = HOUR + 59.9
    assert not allowed(limiter, Limited("a", FIFTY))
    clock.now = HOUR + 60
    assert not allowed(limiter, Limited("a", FIFTY))
    clock.now = HOUR + 90
    assert [allowed(limiter, Limited("a", FIFTY)) for _ in range(26)] == [True] * 25 + [False]
    clock.now = HOUR + 180
    assert [allowed(limiter, Limited("a", FIFTY)) for _ in range(51)] == [True] * 50 + [False]


def test_a_client_that_waits_for_retry_after_is_accepted(
    limiter: RateLimiter, clock: Clock
) -> None:
    clock.now = HOUR + 10
    for _ in range(50):
        limiter.check([Limited("a", FIFTY)])
    with pytest.raises(TooManyRequests) as caught:
        limiter.check([Limited("a", FIFTY)])
    assert caught.value.retry_after == 52
    clock.now += 51
    assert not allowed(limiter, Limited("a", FIFTY))
    clock.now += 1
    assert allowed(limiter, Limited("a", FIFTY))


def test_refused_requests_do_not_count(limiter: RateLimiter, clock: Clock) -> None:
    for _ in range(1_000):
        allowed(limiter, Limited("a", FIFTY))
    clock.now = HOUR + 62
    assert allowed(limiter, Limited("a", FIFTY))


def test_a_request_refused_by_one_limit_counts_against_no_other(limiter: RateLimiter) -> None:
    once, twice = RateLimit(1, 60), RateLimit(2, 60)
    assert allowed(limiter, Limited("replay", once), Limited("client", twice))
    for _ in range(5):
        assert not allowed(limiter, Limited("replay", once), Limited("client", twice))
    assert allowed(limiter, Limited("other", once), Limited("client", twice))
    assert not allowed(limiter, Limited("third", once), Limited("client", twice))


def test_names_are_limited_apart(limiter: RateLimiter) -> None:
    once = RateLimit(1, 60)
    assert allowed(limiter, Limited("a", once))
    assert allowed(limiter, Limited("b", once))
    assert not allowed(limiter, Limited("a", once))


def test_the_longest_wait_is_reported(limiter: RateLimiter, clock: Clock) -> None:
    clock.now = HOUR + 10
    second, hour = Limited("a", RateLimit(1, 1)), Limited("b", RateLimit(1, 3600))
    limiter.check([second, hour])
    with pytest.raises(TooManyRequests) as caught:
        limiter.check([second, hour])
    assert caught.value.retry_after > 3000


def test_a_limit_that_is_off_counts_nothing(clock: Clock) -> None:
    cache = MemoryCache(clock)
    limiter = RateLimiter(cache, clock)
    for _ in range(100):
        limiter.check([Limited("a", RateLimit.parse("off"))])
    limiter.check([])
    assert len(cache) == 0


def test_without_a_cache_nothing_is_refused(clock: Clock) -> None:
    limiter = RateLimiter(FakeCache(clock, answers=0), clock)
    assert all(allowed(limiter, Limited("a", FIFTY)) for _ in range(100))


def test_a_refusal_holds_when_the_cache_dies_right_after_it(clock: Clock) -> None:
    cache = FakeCache(clock)
    limiter = RateLimiter(cache, clock)
    assert all(allowed(limiter, Limited("a", FIFTY)) for _ in range(50))
    cache.answers = 1  # the count, not the subtraction after the refusal
    assert not allowed(limiter, Limited("a", FIFTY))
    assert cache.answers == 0


def test_without_memcached_nothing_is_refused_and_without_the_ledger_nothing_is_tried() -> None:
    """Whoever counts in the ledger's database has no use for a second wait for it."""
    nowhere = ("127.0.0.1", free_port())
    once = Limited("post:x", RateLimit(1, 60))
    without_memcached = RateLimiter(MemcachedCache(nowhere))
    without_memcached.check([once])
    without_memcached.check([once])
    database = Database(f"postgresql://{nowhere[0]}:{nowhere[1]}/none", QUERIES)
    with pytest.raises(LedgerUnavailable):
        RateLimiter(PostgresCache(database)).check([once])
