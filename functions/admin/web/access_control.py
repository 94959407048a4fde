"""The gate in front of every page: session, form token (CSRF) and login."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import replace

from functions.admin.errors import LoginRequired, NotFound, SessionExpired
from functions.admin.web.context import RequestContext
from functions.admin.web.forms import read_form
from functions.admin.web.sessions import RevokedSessions, Session, Sessions
from shared.config.parsers import IpNetwork
from shared.http.client_address import client_address, is_within
from shared.http.event import Request

EXAMPLE_ADDRESS = "192.0.2.1"
"""An address that is no client's (RFC 5737), to ask whether a peer's headers are trusted."""


class Access(enum.Enum):
    """Who may ask for an address. Every POST needs the form token of its session as well."""

    PUBLIC = "public"
    """Everyone, without asking the ledger: it holds nothing that is anyone's."""
    VISITOR = "visitor"
    """Everyone; whose session was revoked gets a new one."""
    USER = "user"
    """Users who are logged in."""


class Gate:
    """Decides what a request may see.

    Args:
        sessions: reads and starts them.
        revoked: knows which were ended by a logout.
        trusted_proxies: networks whose X-Forwarded-For and -Proto count.
        on_lambda: browsers reach this function over TLS alone, and its peer is the client: API
            Gateway adds the client's address to X-Forwarded-For and is no peer itself.
        networks: whose addresses may see anything; None for all.
    """

    def __init__(
        self,
        sessions: Sessions,
        revoked: RevokedSessions,
        trusted_proxies: Sequence[IpNetwork],
        *,
        on_lambda: bool,
        networks: Sequence[IpNetwork] | None = None,
    ) -> None:
        self._sessions = sessions
        self._revoked = revoked
        self._trusted_proxies = trusted_proxies
        self._on_lambda = on_lambda
        self._networks = networks

    def context(self, request: Request) -> RequestContext:
        """Return the context of a request, whose session may be revoked."""
        session = self._sessions.read(request.cookies) or self._sessions.start()
        return RequestContext(
            request=request,
            session=session,
            csrf=self._sessions.csrf(session),
            secure=self._on_lambda or self._proxy_reports_tls(request),
            address=request.client(self._trusted_proxies),
        )

    def require_network(self, request: Request) -> None:
        """Make sure that a request comes from where the admin may be opened.

        Raises:
            NotFound: it does not; whoever asks from elsewhere learns nothing more.
        """
        if self._networks is None:
            return
        if self._on_lambda:
            inside = is_within(request.client(self._trusted_proxies), self._networks)
        else:
            inside = request.is_from(self._networks, self._trusted_proxies)
        if not inside:
            raise NotFound

    def admit(self, context: RequestContext, access: Access) -> RequestContext:
        """Return the context with which a page may answer.

        =======  ==================  =============  ===============  ==============
        access   session             GET            POST with token  POST without
        =======  ==================  =============  ===============  ==============
        PUBLIC   any                 as it is       as it is         SessionExpired
        VISITOR  not revoked         as it is       as it is         SessionExpired
        VISITOR  revoked             a new one      SessionExpired   SessionExpired
        USER     of a user           as it is       as it is         SessionExpired
        USER     revoked or no user  LoginRequired  SessionExpired   SessionExpired
        =======  ==================  =============  ===============  ==============

        Raises:
            LoginRequired: the page is for users.
            SessionExpired: the form belongs to another session, or to one that has ended.
            FormInvalid: the body of a POST is no form.
            LedgerUnavailable: PostgreSQL is unreachable.
        """
        if access is not Access.PUBLIC and self._is_revoked(context.session):
            session = self._sessions.start()
            context = replace(context, session=session, csrf=self._sessions.csrf(session))
        if context.request.method == "POST":
            context = self._with_form(context)
        if access is Access.USER and not context.session.user:
            raise SessionExpired(context) if context.request.method == "POST" else LoginRequired
        return context

    def _is_revoked(self, session: Session) -> bool:
        return bool(session.user) and self._revoked.contains(session)

    def _with_form(self, context: RequestContext) -> RequestContext:
        context = replace(context, form=read_form(context.request))
        if not self._sessions.csrf_valid(context.session, context.value("csrf")):
            raise SessionExpired(context)
        return context

    def _proxy_reports_tls(self, request: Request) -> bool:
        # A peer whose X-Forwarded-For counts is believed here too: if it is trusted, an address
        # that it forwards replaces its own.
        seen = client_address(request.peer, EXAMPLE_ADDRESS, self._trusted_proxies)
        proto = request.headers.get("x-forwarded-proto", "").lower()
        return seen == EXAMPLE_ADDRESS and proto == "https"
