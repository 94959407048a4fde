"""The login form, the login and the logout."""

from __future__ import annotations

import logging
from http import HTTPStatus

from functions.admin import addresses
from functions.admin.web.context import RequestContext
from functions.admin.web.credentials import Credentials
from functions.admin.web.rendering import Templates
from functions.admin.web.responses import redirect, with_cookie
from functions.admin.web.sessions import RevokedSessions, Sessions
from shared.errors import LedgerUnavailable
from shared.http.event import Response

logger = logging.getLogger(__name__)


class LoginPages:
    """Logs users in and out.

    Args:
        templates: renders the form.
        credentials: checks name and password.
        sessions: starts sessions and words their cookies.
        revoked: keeps the sessions that were logged out.
    """

    def __init__(
        self,
        templates: Templates,
        credentials: Credentials,
        sessions: Sessions,
        revoked: RevokedSessions,
    ) -> None:
        self._templates = templates
        self._credentials = credentials
        self._sessions = sessions
        self._revoked = revoked

    def form(
        self,
        context: RequestContext,
        status: HTTPStatus = HTTPStatus.OK,
        message: str = "",
        name: str = "",
    ) -> Response:
        """Show the login form.

        Args:
            context: who asks.
            status: of the response.
            message: why the last attempt failed.
            name: the user name to fill in.
        """
        target = context.request.query.get("next", "")
        response = self._templates.render(
            "login.html",
            context,
            status,
            message=message,
            name=name,
            target=_own_or_dashboard(target),
        )
        # The form's token belongs to this session, which may have just been started.
        return with_cookie(response, self._sessions.cookie(context.session, secure=context.secure))

    def log_in(self, context: RequestContext) -> Response:
        """Start a session of the user and go where the browser wanted to go.

        Raises:
            TooManyRequests: too many attempts from this address.
        """
        user = context.value("user")
        if not self._credentials.valid(user, context.value("password"), context.address):
            message = "Wrong username or password"
            return self.form(context, HTTPStatus.FORBIDDEN, message, user)
        session = self._sessions.start(user)
        response = redirect(_own_or_dashboard(context.value("next")))
        return with_cookie(response, self._sessions.cookie(session, secure=context.secure))

    def log_out(self, context: RequestContext) -> Response:
        """Revoke the session and remove its cookie."""
        try:
            self._revoked.add(context.session)
        except LedgerUnavailable as error:
            # The browser forgets its cookie all the same.
            logger.warning("logout not recorded", extra={"reason": error})
        response = redirect(addresses.LOGIN.url())
        return with_cookie(response, self._sessions.removal(secure=context.secure))


def _own_or_dashboard(target: str) -> str:
    return target if addresses.is_own(target) else addresses.DASHBOARD.url()
