"""Problem pages: what a request gets when its page can't be shown."""

from __future__ import annotations

import logging
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import quote

from functions.admin import addresses
from functions.admin.errors import (
    FormInvalid,
    LoginRequired,
    MethodNotAllowed,
    NotFound,
    SessionExpired,
)
from functions.admin.web.context import RequestContext
from functions.admin.web.interrupted import address_of
from functions.admin.web.rendering import Templates
from functions.admin.web.responses import SAFE_HEADERS, redirect, with_headers
from shared.errors import FileUnreadable, LedgerUnavailable, ServiceError, TooManyRequests
from shared.http.event import Request, Response

logger = logging.getLogger(__name__)


class ProblemPages:
    """Turns errors into pages.

    Args:
        templates: renders them.
        outage: returns the page that needs no ledger.
        limit_status: how a request over a limit is answered.
        interrupted: returns the page that keeps the action of a form whose session has ended, None
            if there is nothing to keep.
    """

    def __init__(
        self,
        templates: Templates,
        outage: Callable[[RequestContext], Response],
        limit_status: HTTPStatus = HTTPStatus.PRECONDITION_FAILED,
        interrupted: Callable[[RequestContext], Response | None] = lambda _: None,
    ) -> None:
        self._templates = templates
        self._outage = outage
        self._limit_status = limit_status
        self._interrupted = interrupted

    def page(self, context: RequestContext, error: ServiceError) -> Response:
        """Return the page of an error.

        =================  ======  ===========================================
        error              status  page
        =================  ======  ===========================================
        LedgerUnavailable  503     what can be shown without the ledger
        LoginRequired      303     the login form; 401 where no page was asked
        SessionExpired     403     its message, or a login that keeps the form's action
        FormInvalid        403     its message
        NotFound           404     its message
        FileUnreadable     404     why
        MethodNotAllowed   405     its message, with `Allow`
        TooManyRequests    412*    when to try again, with `Retry-After`
        =================  ======  ===========================================

        * or what `RATE_LIMIT_STATUS` says.

        Raises:
            ServiceError: the error, if it is none of these.
        """
        match error:
            case LedgerUnavailable():
                about = {"request_id": context.request.request_id, "reason": error}
                logger.warning("ledger unreachable", extra=about)
                return self._outage(context)
            case LoginRequired():
                return _to_login(context.request)
            case SessionExpired() | FormInvalid():
                request = context.request
                about = {"request_id": request.request_id, "path": request.path, "reason": error}
                logger.warning("form refused", extra=about)
                expired = isinstance(error, SessionExpired)
                if isinstance(error, SessionExpired):
                    context = error.context or context
                    if (page := self._interrupted(context)) is not None:
                        return page
                title = "Session expired" if expired else "Invalid form"
                return self._show(context, HTTPStatus.FORBIDDEN, title, str(error))
            case NotFound():
                return self._show(context, HTTPStatus.NOT_FOUND, str(error))
            case FileUnreadable():
                return self._show(context, HTTPStatus.NOT_FOUND, "File unavailable", str(error))
            case MethodNotAllowed():
                page = self._show(context, HTTPStatus.METHOD_NOT_ALLOWED, str(error))
                return with_headers(page, {"allow": ", ".join(error.allowed)})
            case TooManyRequests():
                unit = "second" if error.retry_after == 1 else "seconds"
                page = self._show(
                    context,
                    self._limit_status,  # as the API's
                    "Try again later",
                    f"Too many login attempts. Try again in {error.retry_after} {unit}",
                )
                return with_headers(page, {"retry-after": str(error.retry_after)})
        raise error

    def _show(
        self, context: RequestContext, status: HTTPStatus, title: str, message: str = ""
    ) -> Response:
        return self._templates.render("problem.html", context, status, title=title, message=message)


def _to_login(request: Request) -> Response:
    if "text/html" not in request.headers.get("accept", ""):
        # An image or a script can't fill in a form.
        detail = f"Log in at {addresses.DASHBOARD.url()}"
        return Response.json(HTTPStatus.UNAUTHORIZED, {"detail": detail}, SAFE_HEADERS)
    login = addresses.LOGIN.url()
    target = address_of(request)
    if target != addresses.DASHBOARD.url() and addresses.is_own(target):
        login += f"?next={quote(target)}"
    return redirect(login)
