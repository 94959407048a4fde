from __future__ import annotations

from contextlib import closing

import pytest

from functions.admin.web.credentials import Credentials
from shared import adapters
from shared.cache.memory import MemoryCache
from shared.config.parsers import RateLimit
from shared.config.settings import Settings
from shared.errors import TooManyRequests
from shared.http.rate_limit import RateLimiter
from shared.ledger.ledger import Ledger
from tests.helpers.hashes import cheap_hash
from tests.helpers.servers import free_port

HASH = cheap_hash("correct")


def credentials(count: int = 0) -> Credentials:
    limiter = RateLimiter(MemoryCache(), clock=lambda: 0.0)
    return Credentials("root", HASH, limiter, RateLimit(count, 60))


@pytest.mark.parametrize(
    ("user", "password", "accepted"),
    [("root", "correct", True), ("root", "wrong", False), ("other", "correct", False),
     ("", "", False), ("rööt", "correct", False)],
)  # fmt: skip
def test_name_and_password_must_both_be_right(user: str, password: str, accepted: bool) -> None:
    assert credentials().valid(user, password, "192.0.2.1") is accepted


def test_login_attempts_stay_limited_without_memcached_and_without_postgresql(
    database_url: str,
) -> None:
    gone = ("127.0.0.1", free_port())
    nowhere = f"postgresql://sync@127.0.0.1:{free_port()}/sync"
    for url in (database_url, nowhere):
        cache = adapters.lasting_cache(Settings(memcached_url=(gone,)), Ledger.at(url))
        with closing(cache):
            limited = Credentials(
                "root", HASH, RateLimiter(cache, clock=lambda: 0.0), RateLimit(2, 60)
            )
            for _ in range(2):
                assert not limited.valid("root", "wrong", "192.0.2.1")
            with pytest.raises(TooManyRequests):
                limited.valid("root", "correct", "192.0.2.1")


def test_login_attempts_are_limited_by_address_successful_ones_included() -> None:
    limited = credentials(2)
    assert not limited.valid("root", "wrong", "192.0.2.1")
    assert not limited.valid("root", "wrong", "192.0.2.1")
    with pytest.raises(TooManyRequests):
        limited.valid("root", "correct", "192.0.2.1")
    assert limited.valid("root", "correct", "192.0.2.2")
