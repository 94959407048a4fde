"""Errors of local servers; each text is one line for the person at the terminal."""

from __future__ import annotations

from shared.errors import ServiceError


class ServerError(ServiceError):
    """A local server does not run."""


class PortInUse(ServerError):
    """Port already in use."""

    def __init__(self, server: str, port: int) -> None:
        super().__init__(f"{port}, which {server} needs; stop what listens there or choose another")


class ProgramMissing(ServerError):
    """Not installed."""


class NotReady(ServerError):
    """Server did not become ready."""


class ForeignData(ServerError):
    """Data folder belongs to something else."""


class NoAccount(ServerError):
    """No account to run as."""
