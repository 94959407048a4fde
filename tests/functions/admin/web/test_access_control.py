from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from functions.admin.errors import FormInvalid, LoginRequired, NotFound, SessionExpired
from functions.admin.records import QUERIES
from functions.admin.web.access_control import Access, Gate
from functions.admin.web.forms import CONTENT_TYPE
from functions.admin.web.sessions import COOKIE, RevokedSessions, Session, Sessions
from shared.config.parsers import IpNetwork
from shared.errors import LedgerUnavailable
from shared.http.event import Request
from shared.ledger.database import Database

SESSIONS = Sessions(b"k" * 32, 60, lambda: 1_000.0)
USER = SESSIONS.start("root")
REVOKED = Session("root", "revoked", 2**32)
VISITOR = SESSIONS.start()
PROXIES = (ipaddress.ip_network("10.0.0.0/8"),)
OFFICE = (ipaddress.ip_network("192.0.2.0/24"),)


@pytest.fixture
def gate(database_url: str) -> Iterator[Gate]:
    database = Database(database_url, QUERIES)
    revoked = RevokedSessions(database)
    revoked.add(REVOKED)
    yield Gate(SESSIONS, revoked, PROXIES, on_lambda=False)
    database.close()


def request(session: Session | None, token: str | None = None, **headers: str) -> Request:
    cookies = {}
    if session is not None:
        cookie = SESSIONS.cookie(session, secure=False)
        cookies[COOKIE] = cookie.partition(";")[0].partition("=")[2]
    return Request(
        method="GET" if token is None else "POST",
        path="/",
        query={},
        headers={
            "content-type": CONTENT_TYPE,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        },
        cookies=cookies,
        body=urlencode({"csrf": token or "", "a": "b"}).encode(),
        peer="10.0.0.2",
        request_id="r",
    )


@pytest.mark.parametrize(
    ("access", "session", "admitted"),
    [
        (Access.PUBLIC, USER, True),
        (Access.PUBLIC, REVOKED, True),
        (Access.PUBLIC, VISITOR, True),
        (Access.VISITOR, USER, True),
        (Access.VISITOR, REVOKED, True),
        (Access.VISITOR, VISITOR, True),
        (Access.USER, USER, True),
        (Access.USER, REVOKED, False),
        (Access.USER, VISITOR, False),
    ],
)
def test_pages_of_users_need_a_login(
    gate: Gate, access: Access, session: Session, admitted: bool
) -> None:
    context = gate.context(request(session))
    assert context.session == session
    if not admitted:
        with pytest.raises(LoginRequired):
            gate.admit(context, access)
        return
    context = gate.admit(context, access)
    assert (context.session == session) is (access is Access.PUBLIC or session != REVOKED)
    assert context.form == {}
    assert SESSIONS.csrf_valid(context.session, context.csrf)


@pytest.mark.parametrize("access", list(Access))
@pytest.mark.parametrize("session", [USER, REVOKED, VISITOR], ids=["user", "revoked", "visitor"])
def test_a_form_needs_the_token_of_its_session(
    gate: Gate, access: Access, session: Session
) -> None:
    for token in ("", "0" * 64, SESSIONS.csrf(SESSIONS.start("root"))):
        with pytest.raises(SessionExpired):
            gate.admit(gate.context(request(session, token)), access)
    right = gate.context(request(session, SESSIONS.csrf(session)))
    if session is USER or access is Access.PUBLIC or (access, session) == (Access.VISITOR, VISITOR):
        assert gate.admit(right, access).value("a") == "b"
    else:
        with pytest.raises(SessionExpired):
            gate.admit(right, access)


def test_a_browser_without_a_session_gets_one(gate: Gate) -> None:
    context = gate.admit(gate.context(request(None)), Access.VISITOR)
    assert context.session.user == ""
    assert SESSIONS.csrf_valid(context.session, context.csrf)


@pytest.mark.parametrize(
    "headers",
    [{"content_type": "application/json"}, {"content_type": "multipart/form-data; boundary=x"}],
)
def test_a_body_of_another_type_is_no_form(gate: Gate, headers: dict[str, str]) -> None:
    with pytest.raises(FormInvalid, match="expected"):
        gate.admit(gate.context(request(USER, SESSIONS.csrf(USER), **headers)), Access.USER)


def test_only_sessions_of_users_are_looked_up() -> None:
    database = Database("postgresql://127.0.0.1:1/none", QUERIES)
    gate = Gate(SESSIONS, RevokedSessions(database), PROXIES, on_lambda=False)
    assert gate.admit(gate.context(request(VISITOR)), Access.VISITOR).session == VISITOR
    assert gate.admit(gate.context(request(USER)), Access.PUBLIC).session == USER
    with pytest.raises(LedgerUnavailable):
        gate.admit(gate.context(request(USER)), Access.VISITOR)


def test_headers_of_trusted_proxies_count(gate: Gate) -> None:
    headers = {"x_forwarded_for": "203.0.113.7", "x_forwarded_proto": "https"}
    context = gate.context(request(USER, **headers))
    assert (context.address, context.secure) == ("203.0.113.7", True)
    database = Database("postgresql://127.0.0.1:1/none", QUERIES)
    strict = Gate(SESSIONS, RevokedSessions(database), (), on_lambda=False)
    context = strict.context(request(USER, **headers))
    assert (context.address, context.secure) == ("10.0.0.2", False)
    assert (
        Gate(SESSIONS, RevokedSessions(database), (), on_lambda=True).context(request(USER)).secure
    )


@pytest.mark.parametrize(
    ("networks", "peer", "forwarded_for", "on_lambda", "admitted"),
    [
        (None, "203.0.113.7", None, False, True),
        (OFFICE, "192.0.2.9", None, False, True),
        (OFFICE, "203.0.113.7", None, False, False),
        (OFFICE, "10.0.0.2", "192.0.2.9", False, True),
        (OFFICE, "10.0.0.2", "203.0.113.7", False, False),
        (OFFICE, "10.0.0.2", "192.0.2.9, 203.0.113.7", False, False),
        # Passed on by a proxy that nobody named: whose request it is cannot be known.
        (OFFICE, "192.0.2.9", "192.0.2.9", False, False),
        # API Gateway adds the header, and its peer is the client.
        (OFFICE, "192.0.2.9", "192.0.2.9", True, True),
        (OFFICE, "203.0.113.7", "192.0.2.9, 203.0.113.7", True, False),
        (OFFICE, "10.0.0.2", "192.0.2.9, 10.0.0.2", True, True),
        (OFFICE, "", None, True, False),
    ],
)
def test_the_admin_is_opened_from_its_networks_only(
    networks: tuple[IpNetwork, ...] | None,
    peer: str,
    forwarded_for: str | None,
    *,
    on_lambda: bool,
    admitted: bool,
) -> None:
    database = Database("postgresql://127.0.0.1:1/none", QUERIES)
    revoked = RevokedSessions(database)
    gate = Gate(SESSIONS, revoked, PROXIES, on_lambda=on_lambda, networks=networks)
    headers = {} if forwarded_for is None else {"x_forwarded_for": forwarded_for}
    asked = request(USER, **headers)._replace(peer=peer)
    if admitted:
        gate.require_network(asked)
        return
    with pytest.raises(NotFound):
        gate.require_network(asked)
