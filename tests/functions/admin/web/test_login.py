from __future__ import annotations

import pytest

from functions.admin.web.login import Login, password_hash
from shared.cache.memory import MemoryCache
from shared.config.parsers import RateLimit
from shared.errors import SettingError, TooManyRequests
from shared.http.rate_limit import RateLimiter
from shared.passwords import verify
from tests.functions.admin.hashes import cheap_hash

HASH = cheap_hash("correct")


def login(count: int = 0) -> Login:
    limiter = RateLimiter(MemoryCache(), clock=lambda: 0.0)
    return Login("root", HASH, limiter, RateLimit(count, 60))


@pytest.mark.parametrize(
    ("user", "password", "accepted"),
    [("root", "correct", True), ("root", "wrong", False), ("other", "correct", False),
     ("", "", False), ("rööt", "correct", False)],
)  # fmt: skip
def test_name_and_password_must_both_be_right(user: str, password: str, accepted: bool) -> None:
    assert login().check(user, password, "192.0.2.1") is accepted


def test_tries_are_limited_by_address_right_ones_included() -> None:
    tried = login(2)
    assert not tried.check("root", "wrong", "192.0.2.1")
    assert not tried.check("root", "wrong", "192.0.2.1")
    with pytest.raises(TooManyRequests):
        tried.check("root", "correct", "192.0.2.1")
    assert tried.check("root", "correct", "192.0.2.2")


@pytest.mark.parametrize(
    "given",
    [None, cheap_hash("admin"), "admin", "scrypt$1$2"],
    ids=["none", "default", "plain", "broken"],
)
def test_no_weak_password_outside_a_local_run(given: str | None) -> None:
    with pytest.raises(SettingError, match="ADMIN_PASSWORD_HASH"):
        password_hash(given, local_run=False)


def test_a_local_run_has_the_default_password_or_the_given_one() -> None:
    assert verify("admin", password_hash(None, local_run=True))
    assert password_hash(HASH, local_run=True) == HASH
    assert password_hash(HASH, local_run=False) == HASH
