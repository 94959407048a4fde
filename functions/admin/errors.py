"""What a page of the admin can end in instead of itself."""

from __future__ import annotations

from shared.errors import ServiceError


class PageError(ServiceError):
    """The page cannot be shown."""


class NotFound(PageError):
    """There is no such page."""


class FormRefused(PageError):
    """The form is refused."""
