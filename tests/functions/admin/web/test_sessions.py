from __future__ import annotations

import pytest

from functions.admin.records import QUERIES
from functions.admin.web.sessions import COOKIE, RevokedSessions, Session, Sessions
from shared.ledger.database import Database

KEY = b"k" * 32


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def value(cookie: str) -> str:
    return cookie.partition(";")[0].partition("=")[2]


def test_a_session_is_read_back_until_it_is_over() -> None:
    clock = Clock()
    sessions = Sessions(KEY, 60, clock)
    session = sessions.start("röot.x")
    cookies = {COOKIE: value(sessions.cookie(session, secure=False))}
    assert sessions.read(cookies) == session
    clock.now += 59
    assert sessions.read(cookies) == session
    clock.now += 1
    assert sessions.read(cookies) is None


@pytest.mark.parametrize("change", [0, 5, 20, -1])
def test_a_changed_cookie_is_no_session(change: int) -> None:
    sessions = Sessions(KEY, 60, Clock())
    text = value(sessions.cookie(sessions.start("root"), secure=False))
    other = "0" if text[change] != "0" else "1"
    place = change % len(text)
    assert sessions.read({COOKIE: text[:place] + other + text[place + 1 :]}) is None


@pytest.mark.parametrize("text", ["", ".", "....", "é", "1.2.3.4", "\ud800.x"])
def test_any_other_text_is_no_session(text: str) -> None:
    assert Sessions(KEY, 60, Clock()).read({COOKIE: text}) is None
    assert Sessions(KEY, 60, Clock()).read({}) is None


def test_another_key_reads_nothing() -> None:
    clock = Clock()
    cookie = value(Sessions(KEY, 60, clock).cookie(Session("root", "s", 2_000), secure=False))
    assert Sessions(b"x" * 32, 60, clock).read({COOKIE: cookie}) is None


def test_the_cookie_is_secure_where_the_browser_speaks_tls() -> None:
    sessions = Sessions(KEY, 60, Clock())
    for secure in (True, False):
        cookie = sessions.cookie(sessions.start(), secure=secure)
        assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=60"} <= set(cookie.split("; "))
        assert ("Secure" in cookie.split("; ")) is secure
    assert "Max-Age=0" in sessions.removal(secure=True)


def test_a_csrf_token_belongs_to_one_session() -> None:
    sessions = Sessions(KEY, 60, Clock())
    mine, other = sessions.start("root"), sessions.start("root")
    assert sessions.csrf_valid(mine, sessions.csrf(mine))
    assert not sessions.csrf_valid(mine, sessions.csrf(other))
    assert not sessions.csrf_valid(mine, "")
    assert not sessions.csrf_valid(mine, "é\ud800")


def test_a_revoked_session_stays_revoked_for_every_process(database_url: str) -> None:
    session, other = (Session("root", sid, 2**32) for sid in ("a", "b"))
    databases = [Database(database_url, QUERIES) for _ in range(2)]
    first, second = (RevokedSessions(database) for database in databases)
    first.add(session)
    first.add(session)
    assert second.contains(session)
    assert not second.contains(other)
    for database in databases:
        database.close()


def test_expired_sessions_are_forgotten(database_url: str) -> None:
    database = Database(database_url, QUERIES)
    revoked = RevokedSessions(database)
    past, future = (Session("root", sid, expires) for sid, expires in (("a", 1), ("b", 2**32)))
    revoked.add(past)
    revoked.add(future)
    assert not revoked.contains(past)
    assert revoked.contains(future)
    database.close()
