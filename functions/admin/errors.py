"""What a request can end in instead of its page; each text is what the problem page shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.errors import ServiceError

if TYPE_CHECKING:
    from functions.admin.web.context import RequestContext


class PageError(ServiceError):
    """The page can't be shown."""


class NotFound(PageError):
    """Page not found."""


class MethodNotAllowed(PageError):
    """Method not allowed.

    Args:
        allowed: the methods that the address answers.
    """

    def __init__(self, allowed: tuple[str, ...]) -> None:
        self.allowed = allowed
        super().__init__()


class LoginRequired(PageError):
    """Log in first."""


class SessionExpired(PageError):
    """Your session has expired. Log in again.

    Args:
        context: of the request, with the session that counts now; None if there is none.
    """

    def __init__(self, context: RequestContext | None = None) -> None:
        self.context = context
        super().__init__()


class FormInvalid(PageError):
    """The form can't be read."""
