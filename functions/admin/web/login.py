"""The login form, the login and the logout."""

from __future__ import annotations

import logging
from dataclasses import replace
from http import HTTPStatus

from functions.admin import addresses
from functions.admin.errors import SessionExpired
from functions.admin.web.context import RequestContext
from functions.admin.web.credentials import Credentials
from functions.admin.web.interrupted import Interrupted
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
        interrupted: Interrupted | None = None,
    ) -> Response:
        """Show the login form.

        Args:
            context: who asks.
            status: of the response.
            message: why the last attempt failed.
            name: the user name to fill in.
            interrupted: what was to be done when the session had ended.
        """
        target = context.value("next") or context.request.query.get("next", "")
        response = self._templates.render(
            "login.html",
            context,
            status,
            message=message,
            name=name,
            target=interrupted.target if interrupted else _own_or_dashboard(target),
            fields=interrupted.encode() if interrupted else "",
        )
        # The form's token belongs to this session, which may have just been started.
        return with_cookie(response, self._sessions.cookie(context.session, secure=context.secure))

    def log_in(self, context: RequestContext) -> Response:
        """Start a session of the user and go where the browser wanted to go.

        Raises:
            TooManyRequests: too many attempts from this address.
        """
        user = context.value("user")
        target = _own_or_dashboard(context.value("next"))
        interrupted = Interrupted.decode(context.value("next"), context.value("fields"))
        if not self._credentials.valid(user, context.value("password"), context.address):
            message = "Wrong username or password"
            return self.form(context, HTTPStatus.FORBIDDEN, message, user, interrupted)
        session = self._sessions.start(user)
        response = redirect(target)
        if interrupted is not None:
            csrf = self._sessions.csrf(session)
            response = self._confirmation(replace(context, session=session, csrf=csrf), interrupted)
        return with_cookie(response, self._sessions.cookie(session, secure=context.secure))

    def interrupted(self, context: RequestContext) -> Response | None:
        """Keep the action of a form whose session has ended, for the user to confirm.

        Returns:
            The login form; the confirmation if the browser has a new session already; None if the
            form came from another site, or has nothing that could be done later.
        """
        interrupted = Interrupted.of(context.request)
        if interrupted is None:
            return None
        if context.session.user:
            return self._confirmation(context, interrupted)
        message = f"{SessionExpired()}. Nothing has been done yet: you can confirm it afterwards."
        return self.form(context, HTTPStatus.FORBIDDEN, message, interrupted=interrupted)

    def _confirmation(self, context: RequestContext, interrupted: Interrupted) -> Response:
        return self._templates.render("confirm.html", context, interrupted=interrupted)

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
