"""What a request can end in instead of its page; each text is what the problem page shows."""

from __future__ import annotations

from shared.errors import ServiceError


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
    """Your session has expired. Log in again."""


class FormInvalid(PageError):
    """The form can't be read."""
